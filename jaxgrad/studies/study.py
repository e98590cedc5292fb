"""What ``jaxgrad run`` needs of an experiment, whatever its kind: points to compute, and a report of what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group

from jaxgrad.studies import compare, points, report, runner, schema, tables
from jaxgrad.studies.control import points as control_points
from jaxgrad.studies.control import report as control_report
from jaxgrad.studies.control import schema as control_schema
from jaxgrad.studies.learning import compare as learning_compare
from jaxgrad.studies.learning import points as learning_points
from jaxgrad.studies.learning import report as learning_report
from jaxgrad.studies.learning import schema as learning_schema
from jaxgrad.studies.learning import tables as learning_tables
from jaxgrad.studies.pipelines import compare as pipeline_compare
from jaxgrad.studies.pipelines import points as pipeline_points
from jaxgrad.studies.pipelines import report as pipeline_report
from jaxgrad.studies.pipelines import schema as pipeline_schema
from jaxgrad.studies.pipelines import tables as pipeline_tables
from jaxgrad.studies.store import Store


class Report(NamedTuple):
    """An experiment's results.

    Args:
        screen: for the terminal.
        write: writes all files into a folder, each whole or not at all, and returns them, the page last.
    """

    screen: Group
    write: Callable[[Path], list[Path]]


@dataclass(frozen=True)
class Study:
    """An experiment, read and checked.

    Args:
        title: its own.
        kind: of its results in the store.
        points: what is computed one by one, each with a ``spec`` that decides its result.
        label: what a point is called while it is computed.
        run: computes points, those in the store excepted, and gives each one's result in order.
        report: what came out, from all results.
    """

    title: str
    kind: str
    points: Sequence[Any]
    label: Callable[[Any], str]
    run: Callable[[Sequence[Any], Store], Iterator[Any]]
    report: Callable[[Sequence[Any]], Report]

    def is_done(self, point: Any, store: Store) -> bool:
        return store.has(self.kind, point.spec)


def of_variants(file: Path) -> Study:
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
        return Report(shown, lambda folder: report.write(folder, experiment, rows, comparisons))

    def label(point: points.Point) -> str:
        return f"{point.network}, {point.variant}"

    return Study(experiment.title, "points", expanded, label, run, reported)


def of_pipelines(file: Path) -> Study:
    """An experiment with pipelines, on several arrays.

    Raises:
        InputError: the file will not do.
    """
    experiment = pipeline_schema.load(file)
    expanded = pipeline_points.expand(experiment, file)

    def reported(samples: Sequence[Any]) -> Report:
        results = pipeline_compare.results(experiment, list(zip(expanded, samples, strict=True)))
        shown = pipeline_tables.screen(results)
        return Report(shown, lambda folder: pipeline_report.write(folder, results))

    def label(point: pipeline_points.Point) -> str:
        return point.network

    return Study(experiment.title, pipeline_points.KIND, expanded, label, pipeline_points.run, reported)


def of_control(file: Path) -> Study:
    """An experiment with a control problem.

    Raises:
        InputError: the file will not do.
    """
    experiment = control_schema.load(file)
    expanded = control_points.expand(experiment)

    def reported(descents: Sequence[Any]) -> Report:
        results = control_report.Results(experiment, list(zip(expanded, descents, strict=True)))
        return Report(control_report.screen(results), lambda folder: control_report.write(folder, results))

    def label(point: control_points.Point) -> str:
        return f"keep {point.keep:g}"

    return Study(experiment.title, control_points.KIND, expanded, label, control_points.run, reported)


def of_learning(file: Path, folder: Path | None = None) -> Study:
    """An experiment that trains.

    Args:
        file: its TOML file.
        folder: where the files of its data are, in place of what the file says.

    Raises:
        InputError: the file will not do, or the data are not there.
    """
    experiment = learning_schema.load(file)
    expanded = learning_points.expand(experiment, file, folder)

    def reported(outcomes: Sequence[Any]) -> Report:
        results = learning_compare.results(experiment, list(zip(expanded, outcomes, strict=True)))
        shown = learning_tables.screen(results)
        return Report(shown, lambda folder: learning_report.write(folder, results))

    def label(point: learning_points.Point) -> str:
        return point.label

    return Study(experiment.title, learning_points.KIND, expanded, label, learning_points.run, reported)
