"""An experiment with variants of schedules, as ``jaxgrad run`` takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.studies import compare, points, report, runner, schema, tables
from jaxgrad.studies.store import Store
from jaxgrad.studies.study import Report, Study


def read(file: Path) -> Study:
    """An experiment with variants of schedules, on one machine.

    Raises:
        InputError: the file will not do.
    """
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)

    def run(some: Sequence[points.Point], store: Store) -> Iterator[Any]:
        return (summary for _, summary, _ in runner.run(some, store))

    def reported(summaries: Sequence[Any]) -> Report:
        rows = compare.rows(experiment, list(zip(expanded, summaries, strict=True)))
        comparisons = compare.published(experiment, rows)
        shown = tables.screen(experiment, rows, comparisons)
        return Report(shown, lambda folder, style: report.write(folder, experiment, rows, comparisons, style))

    return Study(experiment.title, "points", expanded, run, reported)
