"""``jaxgrad runs``: a line a run, on 80 columns; as JSON; and what is broken named beside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.cli import main
from jaxgrad.training import runs
from jaxgrad.training.config import Config, Override, resolve


def made(folder: Path, *overrides: Override, epochs: int = 1) -> None:
    run = runs.create(folder, resolve(None, overrides).to_toml())
    for epoch in range(1, epochs + 1):
        run.append_metrics({"epoch": epoch, "test_accuracy": 0.5 + epoch / 1000, "cycles": 1_234_000 * epoch})


def test_a_line_a_run(elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxgrad.cli.screen._PLAIN_WIDTH", 80)
    made(elsewhere / "runs" / "lenet-digits-interleaved-1", epochs=20)
    made(elsewhere / "runs" / "second", Override("emulation.fidelity", "tile", ""), epochs=2)
    assert main(["runs"]) == 0
    printed = capsys.readouterr()
    assert (printed.err, max(map(len, printed.out.splitlines())) <= 80) == ("", True)
    lines = {line.split()[0]: line.split() for line in printed.out.splitlines() if line.strip()}
    total = Config().train.epochs
    assert lines["second"][:-2] == ["second", "tile", f"2/{total}", "can", "go", "on", "50.2%", "2.47M"]
    assert lines["lenet-digits-interleaved-1"][1:4] == ["native", f"20/{total}", "finished"]
    assert lines["all:"] == ["all:", "model", "lenet,", "data", "digits,", "schedule", "interleaved"]
    assert "2 runs in runs" in printed.out


def test_json_and_what_is_broken(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(elsewhere / "mine" / "one")
    made(elsewhere / "mine" / "two")
    (elsewhere / "mine" / "two" / "config.toml").write_text("[model\n")
    assert main(["runs", "mine"]) == 0
    printed = capsys.readouterr()
    assert "1 run in mine" in printed.out
    assert printed.err.startswith("warning: mine/two/config.toml: can't be read: ")
    assert printed.err.count("\n") == 1
    assert main(["runs", "mine", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [error.startswith("mine/two/config.toml: ") for error in told["broken"]] == [True]
    (run,) = told["runs"]
    assert run.pop("changed_unix_s") == (elsewhere / "mine" / "one" / "metrics.jsonl").stat().st_mtime
    assert run == {
        "name": "one", "folder": "mine/one", "model": "lenet", "data": "digits", "schedule": "interleaved",
        "fidelity": "native", "epochs": Config().train.epochs, "epochs_done": 1, "state": "can go on",
        "test_accuracy": 0.501, "cycles": 1_234_000,
    }  # fmt: skip


def test_no_runs(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == "There are no runs in runs: jaxgrad train makes one.\n"
    (elsewhere / "empty").mkdir()
    assert main(["runs", "empty"]) == 0
    assert capsys.readouterr().out == "There are no runs in empty: jaxgrad train makes one.\n"
    (elsewhere / "file").write_text("")
    for name in ("nowhere", "file"):
        assert main(["runs", name]) == 2
        said = f"error: FOLDER: got '{name}', which is none; give the folder of some runs\n"
        assert capsys.readouterr().err == said
