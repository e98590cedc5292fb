"""Gradient descents of a search: the relaxed objective step by step, and the exact one of the best design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import SCREEN, FigureStyle, colours

_COLUMNS = 3
_TITLE_CHARACTERS = 28


def descents(
    lines: Mapping[str, Sequence[Sequence[float]]],
    found: Mapping[str, float],
    path: Path,
    title: str,
    *,
    y_label: str,
    best: Mapping[str, float] | None = None,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """A panel for each kind of design, with a thin line for each descent.

    Args:
        lines: for each kind its descents, each the relaxed objective before each step.
        found: the exact objective of the best design found, by kind: a marker at the right.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        y_label: of the vertical axis, with its unit.
        best: the objective of the best design there is, by kind, where that is known: a dashed line.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("lines", lines)
    colour, best = colours(lines), best or {}
    columns = min(style.columns(_COLUMNS), len(lines))
    rows = -(-len(lines) // columns)
    figure = Page(1.1 + (2.3 if columns > 1 or rows == 1 else 1.7) * rows, style)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    values = [value for descents in lines.values() for descent in descents for value in descent]
    steps = max(len(descent) for descents in lines.values() for descent in descents)
    handles: dict[str, Any] = {}
    room = style.characters(_COLUMNS * _TITLE_CHARACTERS) // columns
    titles = told_apart(list(lines), 2 * room)
    for axes, name, (kind, descents) in zip(panels.flat, titles, lines.items(), strict=False):
        for descent in descents:
            (handles["descents"],) = axes.plot(
                range(len(descent)), descent, color=colour[kind], linewidth=0.8, alpha=0.6
            )
        if kind in best:
            line = axes.axhline(best[kind], color="black", linestyle="--", linewidth=1)
            handles["optimum of the design space (exact cost)"] = line
        if kind in found:
            (handles["best design found (exact cost)"],) = axes.plot(
                [steps * 1.05], [found[kind]], color="black", marker="o", markersize=6, linestyle="none", zorder=4
            )
        axes.set_title(canvas.wrapped(name, room), fontsize=style.label_pt)
        if columns > 1 or axes is panels.flat[len(lines) - 1]:
            canvas.label(axes.xaxis, "step")
        axes.xaxis.set_major_locator(
            MaxNLocator(integer=True, nbins=max(3, style.ticks(7 * _COLUMNS) // max(columns, _COLUMNS)))
        )
        canvas.dress(axes)
    for axes in panels.flat[len(lines) :]:
        axes.set_visible(False)
    canvas.scale(panels[0, 0].yaxis, [*values, *found.values(), *best.values()])
    figure.supylabel(y_label, fontsize=style.label_pt)
    canvas.legend(figure, handles, 3)
    return canvas.save(figure, path, title)
