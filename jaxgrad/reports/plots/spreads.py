"""A quantity of several runs each: a bar from mean less to mean plus deviation, the mean, and each run as a dot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import SCREEN, FigureStyle, colours

_NAME_CHARACTERS = 34
_ROW_INCHES = 0.3


def spreads(
    values: Mapping[str, Sequence[float]],
    path: Path,
    title: str,
    *,
    x_label: str,
    published: Mapping[str, float] | None = None,
    nothing: str = "none",
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """A row for each label. The axis begins where the values do: what is compared are places, not lengths.

    Args:
        values: by label, one a run; a label without any says ``nothing``.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        x_label: of the axis, with its unit.
        published: values to compare with, hollow stars, by label.
        nothing: what to say of a label without values.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("values", (value for each in values.values() for value in each))
    published = published or {}
    colour = next(iter(colours(["values"]).values()))
    figure = Page(1.1 + _ROW_INCHES * len(values), style)
    axes: Axes = figure.subplots()
    handles: dict[str, Any] = {}
    for row, (label, of_label) in enumerate(values.items()):
        if not of_label:
            axes.annotate(nothing, (0.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=style.tick_pt)
        else:
            center = mean(of_label)
            if len(of_label) > 1:
                width = stdev(of_label)
                handles["mean ± standard deviation"] = axes.barh(
                    row, 2 * width, 0.5, left=center - width, color=colour, alpha=0.3
                )
            (handles["mean"],) = axes.plot(
                center, row, color=colour, marker="|", markersize=11, markeredgewidth=2, linestyle="none"
            )
            (handles["a run"],) = axes.plot(
                of_label, [row] * len(of_label), color="black", marker="o", markersize=3, linestyle="none", alpha=0.7
            )
        if label in published:
            (handles["published"],) = axes.plot(
                published[label], row, marker="*", markersize=11, markerfacecolor="white", markeredgecolor="black",
                markeredgewidth=1.2, linestyle="none", zorder=4,
            )  # fmt: skip
    axes.set_yticks(range(len(values)), told_apart(list(values), style.names(_NAME_CHARACTERS)))
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.use_sticky_edges = False  # room at both ends of a band
    axes.autoscale_view(scaley=False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=style.ticks(8)))
    canvas.label(axes.xaxis, x_label)
    canvas.dress(axes)
    axes.set_axisbelow(True)
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)
