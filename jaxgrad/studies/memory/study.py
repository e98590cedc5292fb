"""An experiment on what a training step stores, as ``jaxgrad run`` takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgrad.studies.memory import points, report, schema, tables
from jaxgrad.studies.study import Report, Study


def read(file: Path) -> Study:
    """An experiment on what a training step stores.

    Raises:
        InputError: the file will not do.
    """
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)

    def reported(stored: Sequence[Any]) -> Report:
        by_network = {point.network: each for point, each in zip(expanded, stored, strict=True)}
        results = tables.Results(experiment, by_network)
        return Report(tables.screen(results), lambda folder, style: report.write(folder, results, style))

    return Study(experiment.title, points.KIND, expanded, points.run, reported)
