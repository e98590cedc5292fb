"""Standard output that takes no more: one line for a full disk, none for a reader that has gone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.command import COMMAND, ENVIRONMENT
from tests.studies.cases import tree, write

FULL = Path("/dev/full")
GEMM = ["gemm", "--batch", "3", "--in-features", "5", "--out-features", "4"]
QUICK = [["--help"], ["--version"], ["search", "--help"], GEMM, [*GEMM, "--json"]]
SLOW = [
    ["train", "--model", "mlp", "--epochs", "1", "--batch-size", "400"],
    ["compare", "--model", "mlp", "--json"],
    ["profile", "step.py:f", "--arg", "f32[3,4]", "--arg", "f32[4,5]"],
    ["run", "small.toml", "--check"],
    ["run", "small.toml"],
    ["trace", "--batch", "3", "--in-features", "5", "--out-features", "4"],
]
COMMANDS = [*QUICK, *(pytest.param(words, marks=pytest.mark.slow) for words in SLOW)]


def names(words: list[str]) -> str:
    return " ".join(words)


@pytest.fixture
def there(elsewhere: Path) -> Path:
    write(elsewhere, tree(sweep=[], published=[]))
    (elsewhere / "step.py").write_text("def f(a, b):\n    return a @ b\n")
    return elsewhere


@pytest.mark.skipif(not FULL.exists(), reason="the system has no full device")
@pytest.mark.parametrize("words", COMMANDS, ids=names)
def test_a_full_disk_is_one_line(words: list[str], there: Path) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run([*COMMAND, *words], env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True)
    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, last) == (
        2,
        "error: output: got No space left on device; free some space, or give another place",
    )
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("words", COMMANDS, ids=names)
def test_a_reader_that_has_gone_is_none(words: list[str], there: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        ended = subprocess.run([*COMMAND, *words], env=ENVIRONMENT, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
