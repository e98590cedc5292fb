"""Stored results under a command: damaged ones are computed again with a word, and a full disk is one line."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jaxgrad.base import places
from jaxgrad.cli import main
from tests.cli.test_sweep import SPACE
from tests.command import COMMAND, ENVIRONMENT
from tests.studies.cases import tree, write


def test_a_damaged_point_is_computed_again_with_a_word(elsewhere: Path) -> None:
    write(elsewhere, tree(sweep=[], published=[]))
    assert main(["run", "small.toml", "--out", "first"]) == 0
    path = next((elsewhere / "results" / "store" / "points").rglob("*.json"))
    whole = path.read_text()
    damaged = whole.replace('"cycles", ', '"cycles", 9', 1)
    assert damaged != whole
    path.write_text(damaged)
    done = subprocess.run(
        [*COMMAND, "run", "small.toml", "--out", "second"], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    (line,) = done.stderr.splitlines()
    assert line == f"warning: {path.relative_to(elsewhere)} is damaged: it counts as not computed yet"
    assert path.read_text() == whole
    assert (elsewhere / "first" / "results.csv").read_text() == (elsewhere / "second" / "results.csv").read_text()


@pytest.mark.parametrize("command", ["run small.toml", "sweep space.toml", "search space.toml"])
def test_a_full_disk_is_one_line(
    command: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(elsewhere, tree(sweep=[], published=[]))
    (elsewhere / "space.toml").write_text(SPACE + "[descent]\nstarts = 1\nsteps = 1\n")

    @contextmanager
    def full(path: Path) -> Iterator[Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield path

    monkeypatch.setattr(places, "whole", full)
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --store: got No space left on device for results/store/"), error
    assert "free some space" in error
    assert len(error.splitlines()) == 1
