"""Area against time or energy: of many designs, those that no other one beats."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgrad.base.errors import InputError, one_of
from jaxgrad.reports.numbers import short
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.plots.energy import unit

AGAINST: tuple[str, ...] = ("cycles", "energy")
_COLOUR = "#D55E00"
_NUMBER_POINTS = 7.5
_DIGIT_POINTS, _LINE_POINTS = 5.0, 9.0
_LIST_CHARACTERS = 36
_ALL_NAMED = 12  # designs


class Point(NamedTuple):
    """A design.

    Args:
        label: what it is.
        area_mm2: its area.
        cycles: clock cycles that some work, the same for all, takes on it.
        energy_uj: energy of that work in uJ; None where no technology is known.
    """

    label: str
    area_mm2: float
    cycles: float
    energy_uj: float | None = None


def front(points: Sequence[Point], against: str = "cycles") -> list[Point]:
    """The points than which no other is as good in both and better in one, by area; equal points are all on it.

    Raises:
        ValueError: an unknown quantity, or a point without it.
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.area_mm2, _cost(point, against))):
        best = _cost(kept[-1], against) if kept else math.inf
        own = _cost(point, against)
        if own < best or (kept and own == best and point.area_mm2 == kept[-1].area_mm2):
            kept.append(point)
    return kept


def pareto(
    points: Sequence[Point], path: Path, title: str, *, against: str = "cycles", cycles_of: str = ""
) -> list[Path]:
    """Cycles or energy against area: every point, and the front with a number that the list at the side explains.

    Of few designs the others, too, have their number.

    Args:
        points: the designs.
        path: of the files, without .png and .svg.
        title: of the figure.
        against: one of ``AGAINST``.
        cycles_of: what takes the cycles, such as ``an image``, for the axis.

    Raises:
        ValueError: no point, an unknown quantity, or a point without it.
    """
    canvas.some("points", points)
    best = front(points, one_of("against", against, AGAINST))
    costs = [_cost(point, against) for point in points]
    if against == "cycles":
        name, size = "", 1.0
    else:
        name, size_pj = unit(1e6 * max(costs))
        size = size_pj / 1e6
    kept = set(best)
    beaten = sorted((p for p in points if p not in kept), key=lambda p: (p.area_mm2, _cost(p, against)))
    named = [*best, *beaten] if len(points) <= _ALL_NAMED else best
    listed = _listed(named, [_shown(p, against, name, size) for p in named], len(best))
    figure = canvas.page(max(4.2, 0.9 + 0.142 * (listed.count("\n") + 1)))
    axes, side = figure.subplots(1, 2, width_ratios=(2.1, 1))
    for own, style in (
        (beaten, {"color": "#999999", "marker": "o", "s": 20, "alpha": 0.6}),
        (best, {"color": _COLOUR, "marker": "D", "s": 34, "zorder": 3}),
    ):
        axes.scatter([p.area_mm2 for p in own], [_cost(p, against) / size for p in own], **style)
    axes.plot(
        [p.area_mm2 for p in best], [_cost(p, against) / size for p in best], color=_COLOUR, drawstyle="steps-post"
    )
    canvas.scale(axes.xaxis, [point.area_mm2 for point in points])
    canvas.scale(axes.yaxis, [cost / size for cost in costs])
    axes.margins(0.08)
    axes.set_xlabel("area [mm²]", fontsize=9)
    axes.set_ylabel(f"clock cycles {cycles_of}".strip() if against == "cycles" else f"energy [{name}]", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    side.axis("off")
    side.text(0, 1, listed, transform=side.transAxes, va="top", fontsize=7.5, parse_math=False, linespacing=1.3)
    _number(figure, axes, [(p.area_mm2, _cost(p, against) / size) for p in named])
    return canvas.save(figure, path, title)


def _cost(point: Point, against: str) -> float:
    if one_of("against", against, AGAINST) == "cycles":
        return float(point.cycles)
    if point.energy_uj is None:
        raise InputError(
            "points", point.label, "give it, or draw against cycles", problem=f"got {point.label!r} without an energy"
        )
    return point.energy_uj


def _shown(point: Point, against: str, unit_name: str, size: float) -> str:
    if against == "cycles":
        return f"{short(round(point.cycles))} cycles"
    return f"{_cost(point, against) / size:.3g} {unit_name}"


def _listed(named: Sequence[Point], costs: Sequence[str], on_front: int) -> str:
    """What the numbers stand for: the front first."""
    lines = ["Pareto front:"]
    for number, (point, cost) in enumerate(zip(named, costs, strict=True), 1):
        if number == on_front + 1:
            lines += ["", "Beaten by one of these:"]
        lines += textwrap.wrap(f"{number}  {point.label}", _LIST_CHARACTERS, subsequent_indent="     ")
        lines.append(f"     {point.area_mm2:.3g} mm², {cost}")
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
