"""What ``jaxgrad run`` needs of an experiment, whatever its kind: points to compute, and a report of what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group

from jaxgrad.studies import compare, points, report, runner, schema, tables
from jaxgrad.studies.memory import points as memory_points
from jaxgrad.studies.memory import report as memory_report
from jaxgrad.studies.memory import schema as memory_schema
from jaxgrad.studies.memory import tables as memory_tables
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


def of_memory(file: Path) -> Study:
    """An experiment on what a training step stores.

    Raises:
        InputError: the file will not do.
    """
    experiment = memory_schema.load(file)
    expanded = memory_points.expand(experiment)

    def reported(stored: Sequence[Any]) -> Report:
        by_network = {point.network: each for point, each in zip(expanded, stored, strict=True)}
        results = memory_tables.Results(experiment, by_network)
        return Report(memory_tables.screen(results), lambda folder: memory_report.write(folder, results))

    def label(point: memory_points.Point) -> str:
        return point.network

    return Study(experiment.title, memory_points.KIND, expanded, label, memory_points.run, reported)
