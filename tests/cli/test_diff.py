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
    said = capsys.readouterr().err
    assert said.startswith(
        "error: B: got 'nowhere', which holds no results; give the folder or file of a training run, "
    )
    assert said.count("\n") == 1


def test_files_end_with_the_same_codes(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.csv").write_text("rows,cycles\n4,10\n8,5\n")
    Path("other.csv").write_text("rows,cycles\n4,10\n8,6\n")
    Path("own.json").write_text('{"cycles": 5}')
    assert main(["diff", "one.csv", "one.csv", "--exit-code"]) == 0
    assert "No difference: 2 rows are equal, value by value." in capsys.readouterr().out
    assert main(["diff", "one.csv", "other.csv"]) == 0
    assert " 8     5  6  1.200 " in capsys.readouterr().out
    assert main(["diff", "one.csv", "other.csv", "--json", "--exit-code"]) == 1
    told = json.loads(capsys.readouterr().out)["tables"][""]
    assert told["differences"] == [{"row": {"rows": 8}, "column": "cycles", "values": [5, 6], "ratio": 1.2}]
    assert main(["diff", "one.csv", "own.json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "error: B: got 'own.json', which is what --json printed (.json); give two of one kind: one.csv is a table "
        "(.csv, .parquet)\n"
    )


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
