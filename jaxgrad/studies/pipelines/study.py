"""An experiment with pipelines, on several arrays, as ``jaxgrad run`` takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgrad.studies.pipelines import compare, points, report, schema, tables
from jaxgrad.studies.study import Report, Study


def read(file: Path) -> Study:
    """An experiment with pipelines, on several arrays.

    Raises:
        InputError: the file will not do.
    """
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)

    def reported(samples: Sequence[Any]) -> Report:
        results = compare.results(experiment, list(zip(expanded, samples, strict=True)))
        shown = tables.screen(results)
        return Report(shown, lambda folder, style: report.write(folder, results, style))

    return Study(experiment.title, points.KIND, expanded, points.run, reported)
