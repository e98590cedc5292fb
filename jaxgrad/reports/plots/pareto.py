"""Scatter plots of designs by two objectives: the Pareto front, and the dominated designs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgrad.base.errors import InputError
from jaxgrad.designs.pareto import front
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.quantities import Quantity

_COLOUR = "#D55E00"
_NUMBER_POINTS = 7.5
_DIGIT_POINTS, _LINE_POINTS = 5.0, 9.0
_LIST_CHARACTERS = 36
_ALL_NAMED = 12  # designs


class Point(NamedTuple):
    """A design: what it is, and how much it has of each quantity."""

    label: str
    costs: tuple[float, ...]


def pareto(points: Sequence[Point], path: Path, title: str, quantities: Sequence[Quantity]) -> list[Path]:
    """The second quantity against the first: every point, the Pareto-optimal ones with a number that a list explains.

    Of few designs the others, too, have their number. Of more than two quantities all decide which points are
    Pareto-optimal, and the list has them all.

    Args:
        points: the designs.
        path: of the files, without .png and .svg.
        title: of the figure.
        quantities: two at least, those of each point's ``costs``.

    Raises:
        InputError: no point, fewer than two quantities, or a point without one of them.
    """
    canvas.some("points", points)
    if len(quantities) < 2:
        raise InputError("quantities", len(quantities), "give at least two to draw against each other")
    for point in points:
        if len(point.costs) != len(quantities) or any(math.isnan(cost) for cost in point.costs):
            raise InputError("points", point.label, f"give its {', '.join(quantity.name for quantity in quantities)}")
    chosen = [int(index) for index in front(np.array([point.costs for point in points], float))]
    beaten = sorted(set(range(len(points))) - set(chosen), key=lambda index: points[index].costs)
    named = [points[index] for index in ([*chosen, *beaten] if len(points) <= _ALL_NAMED else chosen)]
    listed = _listed(named, quantities, len(chosen))
    across, up = quantities[:2]
    places = [(point.costs[0] / across.unit.size, point.costs[1] / up.unit.size) for point in points]
    figure = Page(max(4.2, 0.9 + 0.142 * (listed.count("\n") + 1)))
    axes, side = figure.subplots(1, 2, width_ratios=(2.1, 1))
    for group, style in (
        (beaten, {"color": "#999999", "marker": "o", "s": 20, "alpha": 0.6}),
        (chosen, {"color": _COLOUR, "marker": "D", "s": 34, "zorder": 3}),
    ):
        axes.scatter([places[index][0] for index in group], [places[index][1] for index in group], **style)
    if len(quantities) == 2:  # in the plane of two of several, the optimal points make no line
        axes.plot(*zip(*(places[index] for index in chosen), strict=True), color=_COLOUR, drawstyle="steps-post")
    canvas.scale(axes.xaxis, [x for x, _ in places])
    canvas.scale(axes.yaxis, [y for _, y in places])
    axes.margins(0.08)
    axes.set_xlabel(across.label, fontsize=9)
    axes.set_ylabel(up.label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    side.axis("off")
    side.text(0, 1, listed, transform=side.transAxes, va="top", fontsize=7.5, linespacing=1.3)
    _number(figure, axes, [(p.costs[0] / across.unit.size, p.costs[1] / up.unit.size) for p in named])
    return canvas.save(figure, path, title)


def _listed(named: Sequence[Point], quantities: Sequence[Quantity], optimal: int) -> str:
    """What the numbers stand for: the Pareto-optimal designs first."""
    lines = ["Pareto-optimal:"]
    for number, point in enumerate(named, 1):
        if number == optimal + 1:
            lines += ["", "Dominated by one of these:"]
        lines += textwrap.wrap(f"{number}  {point.label}", _LIST_CHARACTERS, subsequent_indent="     ")
        costs = ", ".join(
            f"{quantity.written(cost)} {quantity.unit.name}"
            for quantity, cost in zip(quantities, point.costs, strict=True)
        )
        lines += textwrap.wrap(costs, _LIST_CHARACTERS, initial_indent="     ", subsequent_indent="     ")
    return "\n".join(lines)


def _number(figure: Figure, axes: Axes, places: Sequence[tuple[float, float]]) -> None:
    """Numbers beside the points of the front, each where it meets neither of these nor another number.

    The line of the front comes from above and leaves to the right: left and below there is room.
    """
    figure.draw_without_rendering()  # now the axes have their size
    points = [(x, y) for x, y in axes.transData.transform(places) * 72 / figure.dpi]
    taken = list(points)
    spots = [
        (radius * math.cos(angle), radius * math.sin(angle))
        for radius in (9.0, 14.0, 20.0, 28.0, 38.0)
        for angle in (math.radians(degrees) for degrees in (225, 200, 250, 170, 280, 140, 310, 45))
    ]
    for number, (x, y) in enumerate(points, 1):
        width = _DIGIT_POINTS * (len(str(number)) + 0.4)
        free = (
            (right, up)
            for right, up in spots
            if all(abs(x + right - across) >= width or abs(y + up - high) >= _LINE_POINTS for across, high in taken)
        )
        right, up = next(free, spots[0])
        taken.append((x + right, y + up))
        axes.annotate(
            str(number), places[number - 1], (right, up), textcoords="offset points", ha="center",
            va="center_baseline", fontsize=_NUMBER_POINTS, in_layout=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5} if math.hypot(right, up) > 10 else None,
        )  # fmt: skip
