"""Programs that are not ours: found where the system or the environment has them, and run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jaxgrad.base.errors import InputError

_LINES = 12
"""Of what a program says, the first ones."""


def find(*names: str) -> str | None:
    """The first of some commands that is there; also those of an environment that is not activated."""
    beside = Path(sys.executable).parent
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=str(beside)):
            return found
    return None


def cpp_compiler() -> str | None:
    """A C++ compiler."""
    return find("g++", "clang++")


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Runs a program in a folder, and ends all that it started if it is interrupted; returns what it printed.

    Raises:
        InputError: it fails; the message begins with its own.
    """
    words = [str(word) for word in command]
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as running:
        try:
            said, _ = running.communicate()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)  # and the compilers that it started
            raise
    if running.returncode:
        first = " ".join(" ".join(said.split("\n")[:_LINES]).split())
        name = Path(words[0]).name
        raise InputError(name, running.returncode, "see what it says", problem=f"it failed in {folder}: {first}")
    return said
