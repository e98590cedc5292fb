"""Curves of several runs each against steps of training: a line for the mean, a band from the least to the greatest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.plots.sweep import Samples
from jaxgrad.reports.style import SCREEN, FigureStyle, colours

_STYLES = ("-", "--", ":", "-.")
_Y_LABEL_CHARACTERS = 45
_COLOURS = 8  # of the palette, all but the faint yellow: a line style each time round


def curves(
    runs: Mapping[str, Sequence[Samples]],
    path: Path,
    title: str,
    *,
    x_label: str,
    y_label: str,
    published: Mapping[str, Samples] | None = None,
    labels: Sequence[str] | None = None,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """One line for each label, logarithmic where the quantities span a factor of eight or more.

    Args:
        runs: by label, of each run (step, quantity) in the order of the steps. A label's line ends where the first of
            its runs does.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        x_label, y_label: of the axes, with units.
        published: points to compare with, hollow stars, by label.
        labels: those of all figures that belong together, in each of which a label then looks the same.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("runs", (samples for each in runs.values() for samples in each if samples))
    published = published or {}
    labels = list(runs) if labels is None else labels
    colour: dict[str, str] = {}
    for start in range(0, len(labels), _COLOURS):
        colour |= colours(labels[start : start + _COLOURS])
    figure = Page(4.2 + 0.2 * ((len(runs) + len(published) - 1) // 4), style)
    axes: Axes = figure.subplots()
    handles: dict[str, Line2D] = {}
    for label, of_label in runs.items():
        length = min(map(len, of_label))
        if not length:
            continue
        steps = [step for step, _ in of_label[0][:length]]
        values = np.array([[value for _, value in samples[:length]] for samples in of_label], float)
        # On grey paper the lines have to differ too.
        line = _STYLES[labels.index(label) // (1 if style.serif else _COLOURS) % len(_STYLES)]
        (handles[label],) = axes.plot(
            steps, values.mean(axis=0), line, color=colour[label], linewidth=1.4, marker="o" if length == 1 else ""
        )
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour[label], alpha=0.15, linewidth=0)
    for label, samples in published.items():
        x, y = np.array(samples, float).reshape(-1, 2).T
        (handles[f"{label}, published"],) = axes.plot(
            x, y, linestyle="none", marker="*", markersize=11, markerfacecolor="white",
            markeredgecolor=colour.get(label, "black"), markeredgewidth=1.3, zorder=4,
        )  # fmt: skip
    drawn = (samples for each in (*runs.values(), list(published.values())) for samples in each)
    canvas.scale(axes.yaxis, [value for samples in drawn for _, value in samples])
    axes.set_xlim(left=0)
    canvas.label(axes.xaxis, x_label)
    axes.set_ylabel(canvas.wrapped(y_label, _Y_LABEL_CHARACTERS), fontsize=style.label_pt)
    canvas.dress(axes)
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)
