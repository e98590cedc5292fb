"""An experiment on the dynamics of training, as ``jaxgrad run`` takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgrad.studies.dynamics import points, report, schema, tables, windows
from jaxgrad.studies.dynamics.spending import spending
from jaxgrad.studies.study import Report, Study


def read(file: Path, folder: Path | None = None) -> Study:
    """An experiment on the dynamics of training.

    Args:
        file: its TOML file.
        folder: where the files of its data are, in place of what the file says.

    Raises:
        InputError: the file will not do, or the data are not there.
    """
    experiment = schema.load(file)
    expanded = points.expand(experiment, file, folder)

    def reported(measured: Sequence[Any]) -> Report:
        by_variant = {point.name: series for point, series in zip(expanded, measured, strict=True)}
        found = tables.Results(experiment, by_variant, {}).windows
        spent = {point.name: spending(point, file, windows.stopped(found[point.name])) for point in expanded}
        results = tables.Results(experiment, by_variant, spent)
        return Report(tables.screen(results), lambda folder, style: report.write(folder, results, style))

    return Study(experiment.title, points.KIND, expanded, points.run, reported)
