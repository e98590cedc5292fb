"""Networks of the user's own on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jaxgrad.cli import main
from jaxgrad.training import runs
from jaxgrad.training.config import resolve
from jaxgrad.training.job import prepare
from tests.networks import own

QUICK = ["--epochs", "1", "--batch-size", "256"]


@pytest.fixture(autouse=True)
def net(elsewhere: Path) -> Path:
    (elsewhere / "leaves.py").write_text("print('bye')\nraise SystemExit(3)\n")
    return own.write(elsewhere)


def test_train_and_resume_by_what_was_typed(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--model", "my_net.py:Net", "--hidden", "9", *QUICK]) == 0
    run = Path("runs", "my_net.Net-digits-interleaved-1")
    assert "Training my_net.Net on digits, 16x16 array: " in capsys.readouterr().out
    assert 'name = "my_net.py:Net"\nhidden = [\n    9,\n]' in (run / runs.CONFIG).read_text()
    layers = json.loads((run / runs.COUNTERS).read_text())["layers"]
    assert list(layers) == ["dense", "head"]
    job = prepare(resolve(run / runs.CONFIG))
    assert [layer.path for layer in job.layers] == ["dense", "head"]
    place = run.absolute()
    (elsewhere / "other").mkdir()
    monkeypatch.chdir(elsewhere / "other")
    capsys.readouterr()
    assert main(["train", "--resume", str(place)]) == 2
    assert capsys.readouterr().err == (
        f"error: model.name in {place / runs.CONFIG}: got 'my_net.py'; there is no such file in {elsewhere / 'other'}\n"
    )


def test_compare_takes_what_the_network_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--model", "my_net.py:Fixed", "--json"]) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert (config["model"], config["input_shape"], config["classes"]) == ("my_net.py:Fixed", [4, 4, 1], 3)
    assert main(["compare", "--model", "my_net.py:Net", "--data", "cifar100", "--json"]) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert (config["input_shape"], config["classes"]) == ([32, 32, 3], 100)


def test_pipeline_and_scalesim_take_one(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "--model", "my_net.py:Net", "--processors", "2", "--time", "macs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "my_net.py:Net"
    assert main(["scalesim", "--model", "my_net.py:Fixed", "--phase", "forward", "-p", "out"]) == 0
    assert (elsewhere / "out" / "my_net.Fixed_forward.csv").read_text().splitlines()[1] == "head, 1, 3, 16,"


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("train --model leaves.py:Net", "--model: got 'leaves.py', which can't be imported (SystemExit: 3); give "),
        ("train --model my_net.py:Nett", "--model: got 'my_net.py:Nett'; my_net.py has no Nett"),
        ("train --set model.name=my_net.py:Nett", "--set model.name: got 'my_net.py:Nett'; my_net.py has no Nett"),
        (
            "train --model my_net.py:Fixed --hidden 3",
            "--hidden: got [3]; my_net.py:Fixed has none: leave it out or choose model.name = 'mlp'",
        ),
        ("train --model my_net.py:Fixed", "--model: got 'my_net.py:Fixed', which fails on images of 8x8x1 ("),
        ("compare --model leaves.py:Net", "--model: got 'leaves.py', which can't be imported (SystemExit: 3); give "),
        (
            "compare --model my_net.py:Fixed --classes 4",
            "--model: got 'my_net.py:Fixed', which maps 2 images of 4x4x1 to shape (2, 3); give one ",
        ),
        ("pipeline --model my_net.py:Nett", "--model: got 'my_net.py:Nett'; my_net.py has no Nett"),
        (
            "scalesim --model my_net.py:Fixed --input-shape 9x9x1",
            "--model: got 'my_net.py:Fixed', which fails on images of 9x9x1 (",
        ),
    ],
)
def test_what_is_no_network_is_one_line(
    typed: str, line: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"(bye\n)?error: {re.escape(line)}[^\n]*\n", printed.err)
    assert {path.name for path in elsewhere.iterdir()} - {"__pycache__"} == {"my_net.py", "leaves.py"}
