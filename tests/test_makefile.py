"""The environment of ``make`` is made anew where its folder was moved: its commands name their old place."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def clone(folder: Path) -> Path:
    """A clone with an environment as pip leaves it, newer than what it was made from."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
        os.utime(folder / name, (1e9, 1e9))
    (folder / ".venv" / "bin" / "pip").write_text(f"#!{folder}/.venv/bin/python3\nimport pip\n")
    (folder / ".venv" / ".installed").touch()
    return folder


def planned(folder: Path) -> str:
    """What ``make lint`` would run, whatever make these tests are run by, and with which variables."""
    environment = {"PATH": os.environ["PATH"]}
    ended = subprocess.run(
        ["make", "-n", "lint"], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return ended.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("name", ["moved", "moved with spaces"])
def test_an_environment_that_was_moved_is_made_anew(tmp_path: Path, name: str) -> None:
    there = clone(tmp_path / "a clone")
    assert "venv --clear" not in planned(there)
    moved = planned(Path(shutil.move(there, tmp_path / name)))
    assert "venv --clear" in moved
    assert moved.index("venv --clear") < moved.index("pip install") < moved.index("ruff check")
