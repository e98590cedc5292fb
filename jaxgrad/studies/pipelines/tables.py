"""The results of an experiment with pipelines as tables, on the screen and in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from statistics import mean
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jaxgrad.base.csv_text import csv_text
from jaxgrad.reports.numbers import fixed
from jaxgrad.studies import frame
from jaxgrad.studies.pipelines.compare import Ratios, Results
from jaxgrad.studies.pipelines.schema import PublishedSection
from jaxgrad.studies.published import deviation_text, numbered

MEANING = "Each is a ratio of speeds on as many arrays: the second variant's period over the first one's."
WORDS_MEANING = "The first variant's words between arrays in a batch over the second one's."
SPEEDUP_MEANING = "How many times as fast as one array under the same schedule; the mean is of all numbers of arrays."
_NAMES = ("network", "comparison", "variant", "")


class Cells(NamedTuple):
    """A table: a title, headers and rows; the last row stands apart where it is a mean."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    with_mean: bool = False


def screen(results: Results, *, brief: bool = True) -> Group:
    """All tables; brief, networks one by one only for the comparisons that have a published figure."""
    experiment = results.experiment
    parts: list[RenderableType] = [*(_drawn(cells) for cells in all_tables(results, brief=brief))]
    parts += [Text(f"{number}: {text}") for number, text in numbered(experiment.published).items()]
    parts += [Text(line) for line in idle(results)]
    return frame.on_screen(experiment, parts)


def all_tables(results: Results, *, brief: bool = False) -> Iterator[Cells]:
    """Every table in the order in which reports have them."""
    with_figure = {figure.comparison for figure in results.experiment.published}
    for ratios in results.ratios:
        if not brief or ratios.name in with_figure:
            yield by_network(ratios)
    yield means(results)
    yield words(results)
    yield speedups(results, brief=brief)
    if results.experiment.published:
        yield published(results)


def by_network(ratios: Ratios) -> Cells:
    """One comparison, ratios of speeds: a row a network, a column a number of arrays."""
    rows = [
        [name, *(fixed(ratio, 2) for ratio in of_network.values()), fixed(mean(of_network.values()), 2)]
        for name, of_network in ratios.by_network.items()
    ]
    last = ["mean", *(fixed(ratios.mean(count), 2) for count in _counts(ratios)), fixed(ratios.overall, 3)]
    return Cells(
        f"{ratios.title}, by arrays", ["network", *map(str, _counts(ratios)), "mean"], [*rows, last], with_mean=True
    )


def means(results: Results) -> Cells:
    """Every comparison: a row each, the mean of the networks by number of arrays, and of all."""
    return _means(results, results.ratios, "Ratios of speeds")


def words(results: Results) -> Cells:
    """The same of words between arrays, the variant's over the other one's."""
    return _means(results, results.words, "Ratios of words between arrays")


def _means(results: Results, compared: Sequence[Ratios], what: str) -> Cells:
    rows = [
        [ratios.name, *(_or_dash(ratios.mean(count), 2) for count in _counts(ratios)), _or_dash(ratios.overall, 3)]
        for ratios in compared
    ]
    counts = map(str, results.experiment.pipelines.processors)
    return Cells(f"{what}, mean of {len(results.samples)} networks, by arrays", ["comparison", *counts, "mean"], rows)


def speedups(results: Results, *, brief: bool = False) -> Cells:
    """Speed-up over one array: a row a variant, the mean of the networks; in full, of each network too."""
    counts = results.experiment.pipelines.processors
    rows: list[list[str]] = []
    for section in results.experiment.variant:
        found = {name: list(results.speedups(name, section.name).values()) for name in results.samples}
        lines = {} if brief else dict(found)
        lines[f"mean of {len(found)}"] = [mean(column) for column in zip(*found.values(), strict=True)]
        for name, values in lines.items():
            place = [section.name] if brief else [section.name, name]
            rows.append([*place, *(fixed(value, 2) for value in values), fixed(mean(values), 2)])
    title = "Speed-up over one array" + (f", mean of {len(results.samples)} networks" if brief else "") + ", by arrays"
    return Cells(title, ["variant", *([] if brief else ["network"]), *map(str, counts), "mean"], rows)


def published(results: Results) -> Cells:
    """Each published figure beside ours; the number refers to its source."""
    figures = results.experiment.published
    numbers = {text: number for number, text in numbered(figures).items()}
    rows = [
        [
            numbers[figure.origin],
            figure.comparison,
            _statistic(figure),
            figure.text,
            fixed(results.ours(figure), 3),
            deviation_text(figure, results.ours(figure)),
        ]
        for figure in figures
    ]
    headers = ["", "comparison", "of", "published", "ours", "deviation"]
    return Cells("Published, and ours: ratios of speeds; deviations in hundredths", headers, rows)


def idle(results: Results) -> Iterator[str]:
    """Which networks have fewer parts than there are arrays, a line each."""
    for section in results.experiment.variant:
        for name in results.samples:
            counts = results.idle(name, section.name)
            if counts:
                on = " and ".join(map(str, counts))
                yield f"{section.name}: {name} has fewer parts to distribute than {on} arrays; the others are idle"


def as_csv(results: Results) -> str:
    """Every variant of every network on every number of arrays, exact."""
    lines: list[list[Any]] = [
        ["network", "variant", "pipeline", "schedule", "time", "words_per_cycle", "overlapped", "microbatches",
         "chunks", "update_cycles", "processors", "busy_processors", "period", "single_period", "speedup",
         "words_moved", "weight_words", "activation_words"]
    ]  # fmt: skip
    for name, samples in results.samples.items():
        for sample in samples:
            section = results.experiment.variant[sample.variant]
            lines.append(
                [name, section.name, section.pipeline, section.schedule, section.time, section.words_per_cycle,
                 section.overlapped, section.microbatches, section.chunks, section.update_cycles, sample.processors,
                 sample.busy, sample.period, sample.single, sample.single / sample.period, sample.words_moved,
                 sample.weight_words, sample.activation_words]
            )  # fmt: skip
    return csv_text(lines)


def _or_dash(ratio: float, digits: int) -> str:
    """A ratio; a dash where there was nothing to divide by."""
    return fixed(None if isnan(ratio) else ratio, digits)


def _statistic(figure: PublishedSection) -> str:
    on = f" on {','.join(map(str, figure.processors))} arrays" if figure.processors else ""
    return figure.statistic + on


def _counts(ratios: Ratios) -> list[int]:
    return list(next(iter(ratios.by_network.values())))


def _drawn(cells: Cells) -> Table:
    table = frame.table(cells.title, cells.headers, _NAMES)
    for number, row in enumerate(cells.rows, start=1):
        if cells.with_mean and number == len(cells.rows):
            table.add_section()
        table.add_row(*row)
    return table
