"""``jaxgrad diff``: exit codes, JSON, and no JAX on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxgrad.cli import main
from jaxgrad.training import runs
from jaxgrad.training.config import Override, resolve
from tests.command import ENVIRONMENT


@pytest.fixture
def two(elsewhere: Path) -> Path:
    for name, rows in (("one", 4), ("other", 8)):
        runs.create(elsewhere / name, resolve(None, [Override("array.rows", rows, "")]).to_toml())
    return elsewhere


def test_the_exit_code_tells_only_where_it_is_asked_to(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "one", "other"]) == 0
    assert "array.rows  4  8" in capsys.readouterr().out
    assert main(["diff", "one", "other", "--exit-code"]) == 1
    assert main(["diff", "one", "one", "--exit-code"]) == 0
    capsys.readouterr()
    assert main(["diff", "one", "nowhere"]) == 2
    said = (
        "error: B: got 'nowhere', which holds no results; give the folder of a training run or of results, a table of "
    )
    assert capsys.readouterr().err == f"{said}designs, or what --json printed\n"


def test_json(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "one", "other", "--json", "--exit-code"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "folders": ["one", "other"], "equal": False, "settings": {"array.rows": [4, 8]}, "curves": {}, "counters": {},
        "layers": {},
    }  # fmt: skip


def test_runs_and_diff_do_not_wait_for_jax(two: Path) -> None:
    code = (
        "import sys; from jaxgrad.cli import main; codes = main(['runs', '.']), main(['diff', 'one', 'other']); "
        "print(codes, {'jax', 'flax', 'matplotlib'} & {*sys.modules})"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert ended.stdout.splitlines()[-1] == "(0, 0) set()", ended.stderr


TYPED = {
    "compare": ["compare", "--model", "lenet", "--batch", "2", "--rows", "{}"],
    "pipeline": ["pipeline", "--model", "lenet", "--processors", "2", "--batch", "2", "--rows", "{}"],
    "explain": ["explain", "--batch", "8", "--in-features", "6", "--out-features", "6", "--rows", "{}"],
    "gemm": ["gemm", "--batch", "4", "--in-features", "6", "--out-features", "6", "--rows", "{}"],
    "profile": ["profile", "step.py:step", "--arg", "f32[4,6]", "--rows", "{}"],
}


@pytest.mark.parametrize("command", TYPED)
def test_what_commands_print_as_json_can_be_compared(
    command: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "step.py").write_text("def step(x):\n    return x @ x.T\n")
    for rows in ("4", "8"):
        assert main([each.format(rows) for each in TYPED[command]] + ["--json"]) == 0
        (elsewhere / f"{rows}.json").write_text(capsys.readouterr().out)
    assert main(["diff", "4.json", "4.json", "--exit-code"]) == 0
    assert "No difference: " in capsys.readouterr().out
    assert main(["diff", "4.json", "8.json", "--exit-code"]) == 1
    assert "Numbers that differ" in capsys.readouterr().out
    assert main(["diff", "4.json", "8.json", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert command in told["kind"]
    assert told["differences"]


@pytest.mark.parametrize("command", ["compare", "pipeline"])
def test_folders_of_commands_hold_what_json_prints(
    command: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = [each.format(4) for each in TYPED[command]]
    assert main([*typed, "--out", "out", "--json"]) == 0
    (elsewhere / "printed.json").write_text(capsys.readouterr().out)
    assert main(["diff", "out", "printed.json", "--exit-code"]) == 0
