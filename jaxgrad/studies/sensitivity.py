"""How far an experiment's ratios hang on each assumption: changed one at a time, beside the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from jaxgrad.studies.compare import Row
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.settings import Change

_SERIES = 3  # values of a change that a line can show
AS_WRITTEN = "as written"


class Ratio(NamedTuple):
    """A ratio that is compared under every change.

    Args:
        network: whose it is.
        variant, over: of which variant, and over which.
        quantity: of what.
        published: the published one; None where there is none.
    """

    network: str
    variant: str
    over: str
    quantity: str
    published: float | None


class Line(NamedTuple):
    """One change.

    Args:
        change: which; None for the experiment as it is written.
        ratios: ours, in the order of the figures; None where there is none.
        arrays: rows x columns of the first figure's variant, and of what it is over.
    """

    change: Change | None
    ratios: tuple[float | None, ...]
    arrays: tuple[str, str]

    @property
    def label(self) -> str:
        return AS_WRITTEN if self.change is None else str(self.change)


@dataclass(frozen=True)
class Sensitivity:
    """All figures under all changes; the first line is the experiment as it is written."""

    figures: tuple[Ratio, ...]
    lines: tuple[Line, ...]

    def deviation(self, line: Line) -> float | None:
        """The largest deviation of a line from the published figures, without its sign, as a part of the baseline."""
        deviations = [
            abs(ratio - figure.published)
            for figure, ratio in zip(self.figures, line.ratios, strict=True)
            if ratio is not None and figure.published is not None
        ]
        return max(deviations, default=None)

    @property
    def series(self) -> dict[str, list[Line]]:
        """Changes through at least three numbers that grow, each a line in a figure, by name."""
        by_name: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.change is not None:
                by_name.setdefault(line.change.name, []).append(line)
        return {name: lines for name, lines in by_name.items() if len(lines) >= _SERIES and _grows(lines)}


def number(line: Line) -> float | None:
    """The number that a change's label is, if it is one."""
    try:
        return float(line.change.label) if line.change else None
    except ValueError:
        return None


def sensitivity(experiment: Experiment, rows: Sequence[Row]) -> Sensitivity | None:
    """The ratios that are published, or else every variant's over the baseline, under each change.

    None where the experiment has no changes.
    """
    if not experiment.change:
        return None
    networks = list(dict.fromkeys(row.point.network for row in rows))
    figures = [
        Ratio(network, each.variant, each.over or experiment.baseline, each.quantity, each.ratio)
        for network in networks
        for each in experiment.published
        if each.ratio is not None and not each.mean and each.network in (None, network)
    ]
    by_place = {(row.point.network, row.point.change, row.point.variant): row for row in rows}
    if not figures:
        figures = [
            Ratio(network, variant.name, experiment.baseline, quantity, None)
            for network in networks
            for variant in experiment.variant
            for quantity, value in by_place[network, None, variant.name].values.items()
            if variant.name != experiment.baseline and value is not None
        ]

    def line(change: Change | None) -> Line:
        ratios: list[float | None] = []
        for figure in figures:
            value, base = (
                by_place[figure.network, change, name].values[figure.quantity] for name in (figure.variant, figure.over)
            )
            ratios.append(value / base if value is not None and base else None)
        first = figures[0]
        machines = [by_place[first.network, change, name].point.machine for name in (first.variant, first.over)]
        arrays = [f"{machine.array.rows}x{machine.array.cols}" for machine in machines]
        return Line(change, tuple(ratios), (arrays[0], arrays[1]))

    return Sensitivity(tuple(figures), tuple(map(line, dict.fromkeys(row.point.change for row in rows))))


def _grows(lines: Sequence[Line]) -> bool:
    numbers = [value for line in lines if (value := number(line)) is not None]
    return len(numbers) == len(lines) and all(low < high for low, high in pairwise(numbers))
