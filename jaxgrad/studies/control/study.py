"""An experiment with a control problem, as ``jaxgrad run`` takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgrad.studies.control import points, report, schema
from jaxgrad.studies.study import Report, Study


def read(file: Path) -> Study:
    """An experiment with a control problem.

    Raises:
        InputError: the file will not do.
    """
    experiment = schema.load(file)
    expanded = points.expand(experiment)

    def reported(descents: Sequence[Any]) -> Report:
        results = report.Results(experiment, list(zip(expanded, descents, strict=True)))
        return Report(report.screen(results), lambda folder, style: report.write(folder, results, style))

    return Study(experiment.title, points.KIND, expanded, points.run, reported)
