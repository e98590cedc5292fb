"""Ratios against a parameter, a panel for each quantity, with published values as lines across."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.plots.sweep import Samples
from jaxgrad.reports.style import MARKERS, colours

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
) -> list[Path]:
    """One panel for each quantity, in which each label has a line; all share both axes.

    Args:
        lines: (parameter, ratio) in any order, by quantity and label.
        path: of the files, without .png and .svg.
        title: of the figure.
        x_label, y_label: of the axes, with units.
        published: by quantity and label: dashed lines across, in the label's colour.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("lines", (samples for by_label in lines.values() for samples in by_label.values()))
    published = published or {}
    labels = list(dict.fromkeys(label for by_label in lines.values() for label in by_label))
    colour = colours(labels)
    columns = min(_COLUMNS, len(lines))
    rows = -(-len(lines) // columns)
    figure = Page(1.2 + 2.5 * rows)
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
        axes.set_title(quantity, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(lines) :]:
        axes.remove()
    canvas.scale(grid[0, 0].xaxis, [x for by_label in lines.values() for each in by_label.values() for x, _ in each])
    for axes in figure.axes:
        axes.set_xlabel(canvas.wrapped(x_label, _X_LABEL_CHARACTERS), fontsize=9)
    figure.supylabel(y_label, fontsize=9)
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)
