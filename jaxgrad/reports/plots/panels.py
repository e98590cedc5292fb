"""Ratios against a parameter, a panel for each quantity, with published values as lines across."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.plots.sweep import Samples
from jaxgrad.reports.style import MARKERS, SCREEN, FigureStyle, colours

_COLUMNS = 3
_X_LABEL_CHARACTERS = 36


def panels(
    lines: Mapping[str, Mapping[str, Samples]],
    path: Path,
    title: str,
    *,
    x_label: str,
    y_label: str,
    published: Mapping[str, Mapping[str, float]] | None = None,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """One panel for each quantity, in which each label has a line; all share both axes.

    Args:
        lines: (parameter, ratio) in any order, by quantity and label.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        x_label, y_label: of the axes, with units.
        published: by quantity and label: dashed lines across, in the label's colour.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("lines", (samples for by_label in lines.values() for samples in by_label.values()))
    published = published or {}
    labels = list(dict.fromkeys(label for by_label in lines.values() for label in by_label))
    colour = colours(labels)
    columns = min(style.columns(_COLUMNS), len(lines))
    rows = -(-len(lines) // columns)
    figure = Page(1.2 + (1.9 if style.is_narrow else 2.5) * rows, style)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    handles: dict[str, Any] = {}
    for axes, (quantity, by_label) in zip(grid.flat, lines.items(), strict=False):
        for label, samples in by_label.items():
            x, y = np.array(sorted(samples), float).T
            marker = MARKERS[labels.index(label) % len(MARKERS)]
            (handles[label],) = axes.plot(x, y, color=colour[label], marker=marker, markersize=4, linewidth=1.4)
        for label, ratio in published.get(quantity, {}).items():
            line = axes.axhline(ratio, color=colour.get(label, "black"), linestyle="--", linewidth=1.2)
            handles[f"{label}, published"] = line
        axes.set_title(quantity, fontsize=style.label_pt)
        canvas.dress(axes)
    for axes in grid.flat[len(lines) :]:
        axes.remove()
    canvas.scale(grid[0, 0].xaxis, [x for by_label in lines.values() for each in by_label.values() for x, _ in each])
    room = min(_X_LABEL_CHARACTERS, style.characters(_COLUMNS * _X_LABEL_CHARACTERS) // columns)
    for axes in figure.axes if columns > 1 else figure.axes[-1:]:
        axes.set_xlabel(canvas.wrapped(x_label, room), fontsize=style.label_pt)
    figure.supylabel(y_label, fontsize=style.label_pt)
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)
