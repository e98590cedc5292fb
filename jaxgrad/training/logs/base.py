"""What a log is, and what all of them have in common."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

from jaxgrad.base.errors import InputError

Record = Mapping[str, Any]
"""A line of a run's own log, of one epoch."""

OPTION = "--log"


class Log(Protocol):
    """A log that follows a run's own.

    That one is what counts: it is cut back to a checkpoint as a run goes on, and whatever this one has from before has
    to come to the same. So it begins anew from the records that there are.
    """

    def begin(self, records: Sequence[Record]) -> None:
        """Makes the log that of these records, whatever it was."""

    def add(self, record: Record) -> None:
        """Adds the record of another epoch, now or within seconds: what a killed process has not written, the next one
        writes as it begins."""

    def close(self) -> None:
        """Ends the log; called once, also where it did not begin."""


def numbers(record: Record) -> dict[str, float]:
    """What of a record can be drawn; a loss that has diverged is NaN.

    >>> numbers({"epoch": 1, "test_loss": None, "note": "slow"})
    {'epoch': 1, 'test_loss': nan}
    """
    values = {name: float("nan") if value is None else value for name, value in record.items()}
    return {name: value for name, value in values.items() if isinstance(value, int | float)}


def needed(package: str, log: str) -> ModuleType:
    """A package that is not installed with jaxgrad.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        problem = f"got {log!r}, which needs the package {package}"
        raise InputError(OPTION, log, "pip install 'jaxgrad[log]' first", problem=problem) from None
