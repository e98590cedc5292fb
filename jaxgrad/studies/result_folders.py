"""Which kinds of results can be compared, and what compares each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import RenderableType

from jaxgrad.base.errors import InputError, either
from jaxgrad.reports import comparison, sheet_comparison
from jaxgrad.reports.results import Comparison
from jaxgrad.studies import result_files, training_results
from jaxgrad.training.run_folders import is_run


class Kind(NamedTuple):
    """Folders or files of one kind.

    Args:
        name: what they are.
        holds: whether a path is one.
        compare: two of them; an InputError where one is broken.
        report: of what ``compare`` found, for the screen.
        as_dict: the same as plain data.
    """

    name: str
    holds: Callable[[Path], bool]
    compare: Callable[[Path, Path], Any]
    report: Callable[[Any], Iterable[RenderableType]]
    as_dict: Callable[[Any], dict[str, Any]]


class Compared(NamedTuple):
    """What two of one kind were found to be.

    Args:
        is_equal: whether nothing differs.
        report: for the screen, part by part.
        as_dict: as plain data.
    """

    is_equal: bool
    report: Callable[[], Iterable[RenderableType]]
    as_dict: Callable[[], dict[str, Any]]


def _runs(one: Path, other: Path) -> Comparison:
    return Comparison(training_results.read(one), training_results.read(other))


_SHEETS = sheet_comparison.report, sheet_comparison.as_dict

KINDS: tuple[Kind, ...] = (
    Kind("a training run", is_run, _runs, comparison.report, comparison.as_dict),
    Kind("an experiment", result_files.is_experiment, result_files.experiments, *_SHEETS),
    Kind("a table (.csv, .parquet)", result_files.is_table, result_files.tables, *_SHEETS),
    Kind("what --json printed (.json)", result_files.is_document, result_files.documents, *_SHEETS),
)


def compared(one: Path, other: Path) -> Compared:
    """Two folders or files of one kind, A and B of the command line.

    Raises:
        InputError: one is of no kind, or of another than the other, or broken.
    """
    kind, other_kind = _kind("A", one), _kind("B", other)
    if kind is not other_kind:
        remedy = f"give two of one kind: {one} is {kind.name}"
        raise InputError("B", other, remedy, problem=f"got {str(other)!r}, which is {other_kind.name}")
    found = kind.compare(one, other)
    return Compared(found.is_equal, lambda: kind.report(found), lambda: kind.as_dict(found))


def _kind(field: str, path: Path) -> Kind:
    for kind in KINDS:
        if kind.holds(path):
            return kind
    remedy = f"give the folder or file of {either([kind.name for kind in KINDS])}"
    raise InputError(field, path, remedy, problem=f"got {str(path)!r}, which holds no results")
