"""An experiment that trains, as ``jaxgrad run`` takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgrad.studies.learning import compare, points, report, schema, tables
from jaxgrad.studies.study import Report, Study


def read(file: Path, folder: Path | None = None) -> Study:
    """An experiment that trains.

    Args:
        file: its TOML file.
        folder: where the files of its data are, in place of what the file says.

    Raises:
        InputError: the file will not do, or the data are not there.
    """
    experiment = schema.load(file)
    expanded = points.expand(experiment, file, folder)

    def reported(outcomes: Sequence[Any]) -> Report:
        results = compare.results(experiment, list(zip(expanded, outcomes, strict=True)))
        shown = tables.screen(results)
        return Report(shown, lambda folder, style: report.write(folder, results, style))

    return Study(experiment.title, points.KIND, expanded, points.run, reported)
