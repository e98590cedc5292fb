"""The machine that a command's options describe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgrad.base.literals import parse_text
from jaxgrad.hardware import Accelerator, Machine
from jaxgrad.hardware.files import load_machine

_SIZE = "16"
_ARRAY = ("rows", "cols", "double_buffered")


def machine_of(options: Mapping[str, Any]) -> Machine:
    """From ``machine``, a TOML file, or from ``rows``, ``cols`` and ``double_buffered``: an array and nothing else.

    Raises:
        ValueError: both are given, or one will not do.
    """
    if options["machine"] is None:
        rows, cols = (parse_text(options[name] or _SIZE, int) for name in ("rows", "cols"))
        return Machine(Accelerator(rows, cols, bool(options["double_buffered"])))
    for name in _ARRAY:
        if options[name] is not None:
            raise ValueError(f"{name}: got {options[name]!r} and --machine; the file has it: leave one of the two out")
    return load_machine(Path(options["machine"]), "--machine")
