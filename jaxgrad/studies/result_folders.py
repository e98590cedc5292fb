"""Which kinds of folders hold results that can be compared, and what reads each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jaxgrad.base.errors import InputError, either
from jaxgrad.reports.results import Comparison, Results
from jaxgrad.studies import training_results
from jaxgrad.training.run_folders import is_run


class Kind(NamedTuple):
    """Folders of one kind.

    Args:
        name: what they are.
        holds: whether a folder is one.
        read: its results; an InputError where a file of it is broken.
    """

    name: str
    holds: Callable[[Path], bool]
    read: Callable[[Path], Results]


KINDS: tuple[Kind, ...] = (Kind("a training run", is_run, training_results.read),)


def compared(one: Path, other: Path) -> Comparison:
    """Two folders of one kind, A and B of the command line.

    Raises:
        InputError: one is of no kind, or of another than the other, or broken.
    """
    kind, other_kind = _kind("A", one), _kind("B", other)
    if kind is not other_kind:
        remedy = f"give two of one kind: {one} is {kind.name}"
        raise InputError("B", other, remedy, problem=f"got {str(other)!r}, which is {other_kind.name}")
    return Comparison(kind.read(one), kind.read(other))


def _kind(field: str, folder: Path) -> Kind:
    for kind in KINDS:
        if kind.holds(folder):
            return kind
    remedy = f"give the folder of {either([kind.name for kind in KINDS])}"
    raise InputError(field, folder, remedy, problem=f"got {str(folder)!r}, which holds no results")
