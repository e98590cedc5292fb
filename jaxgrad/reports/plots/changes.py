"""Ratios under one change at a time: a row for each change, a panel for each quantity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import MARKERS, SCREEN, FigureStyle, colours

_NAME_CHARACTERS = 44
_APART = 0.16  # of a row, between the marks of two labels


def changes(
    ratios: Mapping[str, Mapping[str, Mapping[str, float]]],
    path: Path,
    title: str,
    *,
    published: Mapping[str, Mapping[str, float]] | None = None,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """A mark for each label, in the row of its change and the panel of its quantity.

    Args:
        ratios: by change, quantity and label; the first change is what the others are changes of, and thin lines go
            down from its marks.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        published: by quantity and label: dashed lines from top to bottom, in the label's colour.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("ratios", (by_label for panels in ratios.values() for by_label in panels.values() if by_label))
    published = published or {}
    quantities = list(dict.fromkeys(name for panels in ratios.values() for name in panels))
    every = (by_label for panels in ratios.values() for by_label in panels.values())
    labels = list(dict.fromkeys(label for by_label in every for label in by_label))
    colour = colours(labels)
    across = 1 if style.is_narrow else len(quantities)
    down = len(quantities) // across
    figure = Page(1.3 * down + 0.24 * len(ratios) * down, style)
    grid = figure.subplots(down, across, sharex=down > 1, sharey=True, squeeze=False)
    handles: dict[str, Any] = {}
    for axes, quantity in zip(grid.flat, quantities, strict=True):
        for index, label in enumerate(labels):
            places = [
                (panels[quantity][label], row + _APART * (index - (len(labels) - 1) / 2))
                for row, panels in enumerate(ratios.values())
                if label in panels.get(quantity, {})
            ]
            if places:
                x, y = zip(*places, strict=True)
                marker = MARKERS[index % len(MARKERS)]
                (handles[label],) = axes.plot(x, y, color=colour[label], marker=marker, markersize=5, linestyle="none")
                axes.axvline(x[0], color=colour[label], linewidth=0.6, alpha=0.5)
        for label, ratio in published.get(quantity, {}).items():
            line = axes.axvline(ratio, color=colour.get(label, "black"), linestyle="--", linewidth=1.3)
            handles[f"{label}, published"] = line
        axes.set_title(quantity, fontsize=style.label_pt)
        canvas.dress(axes)
    for axes in grid[-1]:
        canvas.label(axes.xaxis, "ratio")
    for axes in grid[:, 0]:
        axes.set_yticks(range(len(ratios)), told_apart(list(ratios), style.names(_NAME_CHARACTERS)))
    grid[0, 0].set_ylim(len(ratios) - 0.5, -0.5)
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)
