"""The results of an experiment that trains as tables, on the screen and in files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jaxgrad.reports.numbers import Written, fixed, given, measured, signed, significant
from jaxgrad.studies import frame
from jaxgrad.studies.learning.compare import Results, Spread
from jaxgrad.studies.learning.schema import QUANTITIES, PublishedSection

DIVERGED = "diverged"
_NAMES = ("variant", "setting", "")


class Cells(NamedTuple):
    """A table: a title, headers and rows."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


def screen(results: Results) -> Group:
    """All tables."""
    experiment = results.experiment
    parts: list[RenderableType] = [*(_drawn(cells) for cells in all_tables(results)), Text(meaning(results))]
    parts += [Text(line) for line in remarks(results)]
    parts += [Text(f"{number}: {text}") for number, text in sources(results).items()]
    return frame.on_screen(experiment, parts)


def all_tables(results: Results) -> Iterator[Cells]:
    """Every table in the order in which reports have them."""
    yield from learned(results)
    if results.experiment.published:
        yield published(results)
    if results.experiment.tune:
        yield tuning(results)


def learned(results: Results) -> Iterator[Cells]:
    """What was learned: a table for each setting and step, a row a variant."""
    experiment = results.experiment
    for setting in experiment.setting:
        for step in [*sorted(experiment.at_steps), None]:
            yield _learned(results, setting.name, step)


def _learned(results: Results, setting: str, step: int | None) -> Cells:
    rows, baseline, tuned = results.rows(setting), results.baseline(setting), results.experiment.tuned
    at_end = step is None
    has_words = at_end and any(row.weight_words is not None for row in rows)
    headers = ["variant", *([_last(tuned)] if tuned else []), "training loss", "test acc. [%]", "points"]
    headers += [*(["cycles"] if at_end else []), *(["weight words"] if has_words else [])]
    lines = []
    for row in rows:
        line = [row.cell.variant, *([f"{row.cell.value}{'*' if row.at_edge else ''}"] if tuned else [])]
        line += [loss_text(row.spread("train_loss", step)), accuracy_text(row.spread("test_accuracy", step))]
        line.append("-" if row.cell == baseline.cell else _points(row.less(baseline, step).mean))
        line += [measured(row.cycles)] if at_end else []
        line += [measured(row.weight_words)] if has_words else []
        lines.append(line)
    when = "after the last step" if at_end else f"after {step:,} steps"
    return Cells(f"{setting}: {when}" if setting else when.capitalize(), headers, lines)


def published(results: Results) -> Cells:
    """Each published figure beside ours; the number refers to its source."""
    experiment = results.experiment
    numbers = {text: number for number, text in sources(results).items()}
    several = len(experiment.setting) > 1
    rows = []
    for figure in experiment.published:
        ours = results.ours(figure)
        rows.append(
            [
                numbers[figure.origin],
                *([experiment.setting_of(figure)] if several else []),
                figure.variant,
                QUANTITIES[figure.quantity] + (f", {figure.step:,} steps" if figure.step else ""),
                DIVERGED if figure.value is None else given(figure.value),
                loss_text(ours) if figure.quantity == "train_loss" else accuracy_text(ours),
                deviation_text(figure, ours),
            ]
        )
    headers = ["", *(["setting"] if several else []), "variant", "of", "published", "ours", "deviation"]
    return Cells("Published, and ours", headers, rows)


def tuning(results: Results) -> Cells:
    """Mean training loss at the end, a row a variant, a column a value of the tuned key; a mark at the one taken."""
    experiment = results.experiment
    ((key, values),) = experiment.tune.items()
    rows = []
    for setting in experiment.setting:
        for row in results.rows(setting.name):
            losses = results.tuning(row.cell.variant, setting.name)
            cells = [DIVERGED if math.isinf(losses[value]) else significant(losses[value], 3) for value in values]
            taken = values.index(row.cell.value) if row.cell.value is not None else 0
            cells[taken] += "*" if row.at_edge else " <"
            rows.append([row.cell.variant, *([setting.name] if len(experiment.setting) > 1 else []), *cells])
    headers = ["variant", *(["setting"] if len(experiment.setting) > 1 else []), *map(str, values)]
    return Cells(f"Training loss by {_last(key)}: < taken, * at the edge", headers, rows)


def sources(results: Results) -> dict[str, str]:
    """The published figures' origins, each once, by a number in brackets."""
    origins = dict.fromkeys(figure.origin for figure in results.experiment.published)
    return {f"[{number}]": origin for number, origin in enumerate(origins, start=1)}


def meaning(results: Results) -> str:
    """What the numbers are."""
    experiment = results.experiment
    seeds = len(experiment.seeds)
    spread = f"means of {seeds} seeds ± their standard deviation" if seeds > 1 else "of one seed"
    return (
        f"Loss over all training images, accuracy over all test images, {spread}; points: of accuracy, over "
        f"{experiment.baseline}; cycles: of the array in all steps, forward and backward."
    )


def remarks(results: Results) -> Iterator[str]:
    """Which runs diverged, and which values lie at an edge of the grid, a line each."""
    experiment = results.experiment
    for setting in experiment.setting:
        for row in results.rows(setting.name):
            name = f"{row.cell.variant}, {setting.name}" if setting.name else row.cell.variant
            steps = {seed: outcome.diverged for seed, outcome in row.outcomes.items() if outcome.diverged is not None}
            if steps:
                when = ", ".join(f"{step:,} (seed {seed})" for seed, step in steps.items())
                rest = "; means are of the other runs" if len(steps) < len(row.outcomes) else ""
                yield f"{name}: the loss was no finite number at step {when}{rest}"
            if row.at_edge:
                value = f"{experiment.tuned} = {row.cell.value}"
                yield f"{name}: {value} is at the edge of its grid: a better one may lie outside"


def loss_text(spread: Spread) -> str:
    """A training loss, three digits, its deviation two."""
    return _text(spread, partial(significant, digits=3), partial(significant, digits=2))


def accuracy_text(spread: Spread) -> str:
    """An accuracy in %."""
    return _text(spread, partial(fixed, digits=1), partial(fixed, digits=1))


def deviation_text(figure: PublishedSection, ours: Spread) -> str:
    """Ours less the published one: accuracies in points, losses as a ratio."""
    if figure.value is None or ours.mean is None:
        return "as published" if (figure.value is None) == (ours.mean is None) else "-"
    if figure.quantity == "train_loss":
        return f"x {significant(ours.mean / figure.value, 3)}" if figure.value else "-"
    return signed(ours.mean - figure.value, 1)


def _text(spread: Spread, number: Callable[[float], str], deviation: Callable[[float], str]) -> str:
    if spread.mean is None:
        return DIVERGED
    width = "" if spread.deviation is None else f" ±{deviation(spread.deviation)}"
    return Written(f"{number(spread.mean)}{width}" + (f" ({spread.runs} runs)" if spread.diverged else ""), spread.mean)


def _points(value: float | None) -> str:
    return signed(value, 1)


def _last(key: str | None) -> str:
    return (key or "").rpartition(".")[2].replace("_", " ")


def _drawn(cells: Cells) -> Table:
    table = frame.table(cells.title, cells.headers, _NAMES)
    for row in cells.rows:
        table.add_row(*row)
    return table
