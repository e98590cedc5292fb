"""Two results that can be compared, whatever command wrote them: both of one kind."""

from __future__ import annotations

from pathlib import Path

from jaxgrad.base.errors import InputError
from jaxgrad.reports.results import RUN, Comparison
from jaxgrad.studies import documents, training_results
from jaxgrad.studies.documents import Document
from jaxgrad.training.run_folders import is_run


def compared(one: Path, other: Path) -> Comparison:
    """Two folders, or files, of results of one kind, A and B of the command line.

    Raises:
        InputError: one is of no kind, or of another than the other, or broken.
    """
    first, second = _document("A", one), _document("B", other)
    kind, other_kind = (RUN if each is None else each.kind for each in (first, second))
    if kind != other_kind:
        remedy = f"give two of one kind: {one} is {kind}"
        raise InputError("B", other, remedy, problem=f"got {str(other)!r}, which is {other_kind}")
    if first is None or second is None:
        return Comparison(training_results.read(one), training_results.read(other), kind)
    return Comparison(first.results(one, second), second.results(other, first), kind)


def _document(field: str, given: Path) -> Document | None:
    """The file that a path is, or leads to; None of a training run's folder."""
    if is_run(given):
        return None
    found = documents.find(field, given)
    if found is None:
        remedy = "give the folder of a training run or of results, a table of designs, or what --json printed"
        raise InputError(field, given, remedy, problem=f"got {str(given)!r}, which holds no results")
    return found
