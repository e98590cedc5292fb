"""Scatter plots of designs by two objectives: the Pareto-optimal ones, ten of them named, and the rest."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxgrad.base.errors import InputError
from jaxgrad.base.pareto import front
from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.quantities import Quantity
from jaxgrad.reports.style import MARKERS, SCREEN, FigureStyle, colours

_DIGIT_POINTS, _LINE_POINTS = 5.0, 9.0
_LIST_CHARACTERS = 38
_NARROW_LIST_CHARACTERS = 52  # where it stands below
_NARROW_INCHES = 2.6  # of the panel above it
_NAME_CHARACTERS = 76  # of a design, two lines of the list
_NAMED = 10  # Pareto-optimal designs
_ALL_NAMED = 12  # designs
_CROWD = 200  # designs, from which on dominated ones are fainter
_LEGEND_COLUMNS = 6


class Point(NamedTuple):
    """A design.

    Args:
        label: what it is.
        costs: how much it has of each quantity.
        kind: what its colour and its marker stand for, such as its schedule.
    """

    label: str
    costs: tuple[float, ...]
    kind: str = ""


def pareto(
    points: Sequence[Point], path: Path, title: str, quantities: Sequence[Quantity], *, style: FigureStyle = SCREEN
) -> list[Path]:
    """The second quantity against the first, designs coloured by kind; a list names ten Pareto-optimal ones at most.

    These are the best one of each quantity and others that lie far from them. Of few designs all are named, dominated
    ones too. Of more than two quantities all decide which designs are Pareto-optimal, and the list has them all.

    Args:
        points: the designs.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        quantities: two at least, those of each point's ``costs``.

    Raises:
        InputError: no point, fewer than two quantities, or a point without one of them.
    """
    canvas.some("points", points)
    if len(quantities) < 2:
        raise InputError("quantities", len(quantities), "give at least two to draw against each other")
    for point in points:
        if len(point.costs) != len(quantities) or not all(map(math.isfinite, point.costs)):
            raise InputError("points", point.label, f"give its {', '.join(quantity.name for quantity in quantities)}")
    optimal = [int(index) for index in front(np.array([point.costs for point in points], float))]
    dominated = sorted(set(range(len(points))) - set(optimal), key=lambda index: points[index].costs)
    across, up = quantities[:2]
    places = np.array([(point.costs[0] / across.unit.size, point.costs[1] / up.unit.size) for point in points], float)
    if len(points) <= _ALL_NAMED:
        named = [*optimal, *dominated]
    else:
        best = [min(optimal, key=lambda index: points[index].costs[place]) for place in range(len(quantities))]
        named = _spread(optimal, best, _unit_square(places))
    room = _NARROW_LIST_CHARACTERS if style.is_narrow else style.characters(_LIST_CHARACTERS)
    listed = _listed([points[index] for index in named], quantities, set(named) & set(optimal), len(optimal), room)
    kinds = dict.fromkeys(point.kind for point in points)
    legend_lines = -(-(len(kinds) + 2) // _LEGEND_COLUMNS)
    list_inches = 0.142 * (listed.count("\n") + 1)
    if style.is_narrow:  # the list below
        figure = Page(_NARROW_INCHES + 0.5 + list_inches + 0.2 * legend_lines, style)
        axes, side = figure.subplots(2, 1, height_ratios=(_NARROW_INCHES, list_inches))
    else:
        figure = Page(max(4.4, 0.9 + list_inches) + 0.2 * legend_lines, style)
        axes, side = figure.subplots(1, 2, width_ratios=(2, 1))
    if len(quantities) == 2:  # in the plane of two of several, the optimal points make no line
        axes.plot(*places[optimal].T, color="#777777", linewidth=1, drawstyle="steps-post", zorder=2)
    handles = _scatter(axes, points, places, dominated, optimal)
    canvas.scale(axes.xaxis, places[:, 0].tolist())
    canvas.scale(axes.yaxis, places[:, 1].tolist())
    axes.margins(0.08)
    canvas.label(axes.xaxis, across.label)
    canvas.label(axes.yaxis, up.label)
    axes.tick_params(labelsize=style.tick_pt)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    side.axis("off")
    side.text(0, 1, listed, transform=side.transAxes, va="top", fontsize=style.note_pt, linespacing=1.3)
    canvas.legend(figure, handles, _LEGEND_COLUMNS)
    canvas.entitle(figure, title)  # before numbers find their places
    _number(figure, axes, places[named], places[optimal])
    return canvas.save(figure, path, title)


def _scatter(
    axes: Axes,
    points: Sequence[Point],
    places: Float[np.ndarray, "points 2"],
    dominated: Sequence[int],
    optimal: Sequence[int],
) -> dict[str, Line2D]:
    """Draws the designs, dominated ones small and pale; returns the legend's samples."""
    kinds = list(dict.fromkeys(point.kind for point in points))
    colour, marker = colours(kinds), {kind: MARKERS[index % len(MARKERS)] for index, kind in enumerate(kinds)}
    crowded = len(points) > _CROWD
    pale: dict[str, Any] = {"s": 14 if crowded else 24, "alpha": 0.3 if crowded else 0.6, "linewidth": 0}
    strong: dict[str, Any] = {"s": 34, "edgecolor": "black", "linewidth": 0.6, "zorder": 3}
    for indices, style in ((dominated, pale), (optimal, strong)):
        for kind in kinds:
            chosen = [index for index in indices if points[index].kind == kind]
            axes.scatter(*places[chosen].T, color=colour[kind], marker=marker[kind], **style)

    def sample(**style: Any) -> Line2D:
        return Line2D([], [], linestyle="none", **style)

    handles = {kind: sample(color=colour[kind], marker=marker[kind], markersize=6) for kind in kinds if kind}
    edge = {"marker": "o", "markersize": 6, "markerfacecolor": "white", "markeredgecolor": "black"}
    handles["Pareto-optimal: outlined"] = sample(**edge)
    if dominated:
        handles["dominated: pale"] = sample(marker="o", markersize=4, color="#777777", alpha=0.4)
    return handles


def _unit_square(places: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
    """The places as they are drawn, on linear or logarithmic axes, from 0 to 1."""
    drawn = np.stack([np.log(axis) if canvas.is_wide(axis.tolist()) else axis for axis in places.T], axis=1)
    low, extent = drawn.min(axis=0), np.ptp(drawn, axis=0)
    return (drawn - low) / np.where(extent > 0, extent, 1)


def _spread(optimal: Sequence[int], first: Sequence[int], drawn: Float[np.ndarray, "points 2"]) -> list[int]:
    """At most ``_NAMED`` of the Pareto-optimal designs in their order: the first ones, then whichever is farthest from
    all that are chosen."""
    chosen = list(dict.fromkeys(first))
    nearest = np.full(len(optimal), np.inf)
    for index in chosen:
        nearest = np.minimum(nearest, np.hypot(*(drawn[optimal] - drawn[index]).T))
    while len(chosen) < min(_NAMED, len(optimal)) and nearest.max() > 0:
        farthest = optimal[int(nearest.argmax())]
        chosen.append(farthest)
        nearest = np.minimum(nearest, np.hypot(*(drawn[optimal] - drawn[farthest]).T))
    return [index for index in optimal if index in chosen]


def _listed(
    named: Sequence[Point], quantities: Sequence[Quantity], optimal_named: set[int], optimal: int, room: int
) -> str:
    """What the numbers stand for: the Pareto-optimal designs first."""
    count = len(optimal_named)
    lines = ["Pareto-optimal:" if count == optimal else f"Pareto-optimal ({count} of {optimal:,}):"]
    labels = told_apart([point.label for point in named], _NAME_CHARACTERS)
    for number, (label, point) in enumerate(zip(labels, named, strict=True), 1):
        if number == count + 1:
            lines += ["", "Dominated by one of these:"]
        lines += textwrap.wrap(f"{number}  {label}", room, subsequent_indent="     ")
        costs = ", ".join(
            f"{quantity.written(cost)} {quantity.unit.name}"
            for quantity, cost in zip(quantities, point.costs, strict=True)
        )
        lines += textwrap.wrap(costs, room, initial_indent="     ", subsequent_indent="     ")
    return "\n".join(lines)


def _number(
    figure: Page,
    axes: Axes,
    named: Float[np.ndarray, "named 2"],
    optimal: Float[np.ndarray, "optimal 2"],
) -> None:
    """Numbers beside the named points, each where it meets neither a Pareto-optimal point nor another number.

    The line of the front comes from above and leaves to the right: left and below there is room.
    """
    figure.draw_without_rendering()  # now the axes have their size

    def in_points(places: Float[np.ndarray, "places 2"]) -> list[tuple[float, float]]:
        return [(x, y) for x, y in axes.transData.transform(places) * 72 / figure.dpi]

    taken = in_points(np.concatenate([named, optimal]))
    spots = [
        (radius * math.cos(angle), radius * math.sin(angle))
        for radius in (9.0, 14.0, 20.0, 28.0, 38.0)
        for angle in (math.radians(degrees) for degrees in (225, 200, 250, 170, 280, 140, 310, 45))
    ]
    for number, (x, y) in enumerate(in_points(named), 1):
        width = _DIGIT_POINTS * (len(str(number)) + 0.4)
        free = (
            (right, up)
            for right, up in spots
            if all(abs(x + right - across) >= width or abs(y + up - high) >= _LINE_POINTS for across, high in taken)
        )
        right, up = next(free, spots[0])
        taken.append((x + right, y + up))
        axes.annotate(
            str(number), tuple(named[number - 1]), (right, up), textcoords="offset points", ha="center",
            va="center_baseline", fontsize=figure.style.note_pt, in_layout=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5} if math.hypot(right, up) > 10 else None,
        )  # fmt: skip
