"""The machine that a command's options describe."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgrad.base.errors import InputError

if TYPE_CHECKING:
    from jaxgrad.hardware import Machine


def machine_of(file: Path | None, rows: int, cols: int, double_buffered: bool, typed: Container[str]) -> Machine:
    """From a TOML file or, without one, an array and nothing else.

    Args:
        file: what ``--machine`` names.
        rows, cols, double_buffered: of the array.
        typed: the parameters that the user typed.

    Raises:
        InputError: both are given, or one will not do.
    """
    from jaxgrad.hardware import Accelerator, Machine
    from jaxgrad.hardware.files import load_machine

    if file is None:
        return Machine(Accelerator(rows, cols, double_buffered))
    for name, value in (("rows", rows), ("cols", cols), ("double_buffered", double_buffered)):
        if name in typed:
            problem = f"got {value!r} and --machine"
            raise InputError(name, value, "the file has it: leave one of the two out", problem=problem)
    return load_machine(file, "--machine")
