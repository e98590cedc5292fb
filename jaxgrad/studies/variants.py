"""An experiment with variants of schedules, as ``jaxgrad run`` takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.studies import compare, points, report, runner, schema, tables
from jaxgrad.studies.against import Against
from jaxgrad.studies.calibration.points import CalibrationPoint
from jaxgrad.studies.calibration.records import Calibration
from jaxgrad.studies.measured import agreements
from jaxgrad.studies.store import Store
from jaxgrad.studies.study import Report, Study

KIND = "points"


def read(file: Path) -> Study:
    """An experiment with variants of schedules, on one machine; a fit to measurements is one of its points, the last.

    Raises:
        InputError: the file will not do.
    """
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)
    fits = [CalibrationPoint(experiment, expanded)] if experiment.calibrate else []

    def run(some: Sequence[points.Point | CalibrationPoint], store: Store) -> Iterator[Any]:
        costed = [point for point in some if isinstance(point, points.Point)]
        yield from (summary for _, summary, _ in runner.run(costed, store))
        for fit in some:
            if isinstance(fit, CalibrationPoint):
                yield store.cached(KIND, fit.spec, lambda fit=fit: fit.compute(store).as_dict())

    def reported(found: Sequence[Any]) -> Report:
        summaries, fitted = found[: len(expanded)], found[len(expanded) :]
        rows = compare.rows(experiment, list(zip(expanded, summaries, strict=True)))
        comparisons = compare.published(experiment, rows)
        fit = next(map(Calibration.from_dict, fitted), None)
        against = Against(experiment, agreements(experiment, rows), fit, file)
        shown = tables.screen(experiment, rows, comparisons, against)
        return Report(shown, lambda folder, style: report.write(folder, experiment, rows, comparisons, style, against))

    return Study(experiment.title, KIND, [*expanded, *fits], run, reported)
