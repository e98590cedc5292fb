"""The machine that a command's options describe, and what it sets of a training run."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgrad.base.errors import InputError

if TYPE_CHECKING:
    from jaxgrad.hardware import Machine
    from jaxgrad.training.config import Override


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
    _refuse_array({"rows": rows, "cols": cols, "double_buffered": double_buffered}, typed)
    return load_machine(file, "--machine")


def of_run(params: Mapping[str, Any], typed: Container[str]) -> list[Override]:
    """What ``--machine`` sets of a training run's configuration: every key of ``[machine]``, each as the file has it.

    Args:
        params: the command's parameters and their values.
        typed: those that the user typed.

    Raises:
        InputError: the file will not do, or the array is typed too.
    """
    from jaxgrad.hardware import files
    from jaxgrad.training.config import Override

    file = params["machine"]
    if file is None:
        return []
    _refuse_array({name: params[name] for name in ("rows", "cols", "double_buffered")}, typed)
    section = files.load_section(file, "--machine")
    files.build(section, file)
    table = files.table(section)
    return [Override(f"machine.{key}", table.get(key), "--machine") for key in files.MachineSection.model_fields]


def _refuse_array(array: Mapping[str, Any], typed: Container[str]) -> None:
    for name, value in array.items():
        if name in typed:
            problem = f"got {value!r} and --machine"
            raise InputError(name, value, "the file has it: leave one of the two out", problem=problem)
