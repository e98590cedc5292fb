"""Line plots of a quantity against a swept parameter: array size, batch, bandwidth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from jaxgrad.base.errors import InputError
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import MARKERS, SCREEN, FigureStyle, colours

Samples = Sequence[tuple[float, float]]
"""(swept value, quantity) pairs; a NaN leaves a gap in the line."""

_TICKS = 12
_Y_LABEL_CHARACTERS = 45
_APART = 0.05  # of the axis, between two ticks


def sweep(
    lines: Mapping[str, Samples],
    path: Path,
    title: str,
    *,
    x_label: str,
    y_label: str,
    published: Mapping[str, Samples] | None = None,
    levels: Mapping[str, float] | None = None,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """One line for each label; an axis is logarithmic where its values span a factor of eight or more.

    Args:
        lines: (swept value, quantity) in any order, by label.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        x_label, y_label: of the axes, with units.
        published: points to compare with, hollow stars, by label: one of ``lines`` in its colour, others in black.
        levels: quantities to compare with that are no one point's, by label: dashed lines from side to side.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("lines", lines)
    for label, samples in lines.items():
        if not any(y == y for _, y in samples):
            raise InputError(
                "lines", label, "give at least one point, or leave it out", problem=f"got {label!r} without a value"
            )
    published, levels = published or {}, levels or {}
    colour = colours(lines)
    figure = Page(3.9 + 0.2 * ((len(lines) + len(published) + len(levels) - 1) // 4), style)
    axes: Axes = figure.subplots()
    handles: dict[str, Line2D] = {}
    for index, (label, samples) in enumerate(lines.items()):
        x, y = np.array(sorted(samples), float).T
        marker = MARKERS[index % len(MARKERS)]
        (handles[label],) = axes.plot(x, y, color=colour[label], marker=marker, markersize=5, linewidth=1.5)
    for label, samples in published.items():
        x, y = np.array(samples, float).reshape(-1, 2).T
        (handles[f"{label}, published"],) = axes.plot(
            x, y, linestyle="none", marker="*", markersize=12, markerfacecolor="white",
            markeredgecolor=colour.get(label, "black"), markeredgewidth=1.3, zorder=4,
        )  # fmt: skip
    for label, level in levels.items():
        handles[label] = axes.axhline(level, color="black", linestyle="--", linewidth=1.3)
    everything = [sample for samples in (*lines.values(), *published.values()) for sample in samples]
    canvas.scale(axes.xaxis, [x for x, _ in everything])
    heights = [*(y for _, y in everything), *levels.values()]
    canvas.scale(axes.yaxis, heights)
    _tick_samples(axes, sorted({x for x, _ in everything}))
    if axes.get_yscale() == "linear" and min(y for y in heights if y == y) >= 0:
        axes.set_ylim(bottom=0)
    canvas.label(axes.xaxis, x_label)
    axes.set_ylabel(canvas.wrapped(y_label, _Y_LABEL_CHARACTERS), fontsize=style.label_pt)
    canvas.dress(axes)
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)


def _tick_samples(axes: Axes, values: Sequence[float]) -> None:
    """Ticks at the swept values themselves, where they are few."""
    if len(values) <= _TICKS:
        places = [math.log(value) for value in values] if axes.get_xscale() == "log" else values
        ticks, last = [values[0]], places[0]
        apart = _APART * _TICKS / canvas.style_of(axes).ticks(_TICKS)
        for value, place in zip(values[1:], places[1:], strict=True):
            if place >= last + (places[-1] - places[0]) * apart:
                ticks.append(value)
                last = place
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
