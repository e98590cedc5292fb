"""Ours against measured values: on the diagonal the two agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import MARKERS, SCREEN, FigureStyle, colours

_COLUMNS = 2
_NEAR = 0.1  # of the diagonal, the band around it
_MARGIN = 1.25


class Pair(NamedTuple):
    """A measured value, above 0, and ours.

    Args:
        label: what shares its colour and its marker.
        measured, ours: in the panel's unit.
        bar: half of the measured value's error bar; None where there is none.
        fitted: ours once more, where something was fitted to the measurements; drawn hollow.
    """

    label: str
    measured: float
    ours: float
    bar: float | None = None
    fitted: float | None = None


def diagonal(
    panels: Mapping[str, Sequence[Pair]], path: Path, title: str, *, style: FigureStyle = SCREEN
) -> list[Path]:
    """A panel for each quantity, measured values to the right and ours upwards, both logarithmic where they span much.

    Args:
        panels: by quantity, with its unit.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("panels", (pair for pairs in panels.values() for pair in pairs))
    labels = list(dict.fromkeys(pair.label for pairs in panels.values() for pair in pairs))
    colour = colours(labels)
    columns = min(style.columns(_COLUMNS), len(panels))
    rows = -(-len(panels) // columns)
    figure = Page(0.9 + (2.8 if style.is_narrow else 3.6) * rows, style)
    grid = figure.subplots(rows, columns, squeeze=False)
    handles: dict[str, Any] = {}
    for axes, (quantity, pairs) in zip(grid.flat, panels.items(), strict=False):
        handles |= _guides(axes, pairs)
        for pair in pairs:
            look = {"color": colour[pair.label], "marker": MARKERS[labels.index(pair.label) % len(MARKERS)]}
            drawn = axes.errorbar(
                pair.measured, pair.ours, xerr=pair.bar, linestyle="none", markersize=5, capsize=2.5, linewidth=1.2,
                zorder=3, **look,
            )  # fmt: skip
            handles.setdefault(pair.label, drawn)
            if pair.fitted is not None:
                (hollow,) = axes.plot(
                    pair.measured, pair.fitted, linestyle="none", markersize=7, markerfacecolor="none", zorder=4, **look
                )
                handles.setdefault(f"{pair.label}, fitted", hollow)
        axes.set_title(quantity, fontsize=style.label_pt)
        canvas.label(axes.xaxis, "measured")
        canvas.label(axes.yaxis, "ours")
        canvas.dress(axes)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)


def _guides(axes: Axes, pairs: Sequence[Pair]) -> dict[str, Any]:
    """The diagonal and the band around it, through all of the panel; scales and limits, the same of both axes."""
    values = [value for pair in pairs for value in (pair.measured, pair.ours, pair.fitted) if value]
    canvas.scale(axes.xaxis, values)
    canvas.scale(axes.yaxis, values)
    low = min(values) / _MARGIN if canvas.is_wide(values) else 0.0
    ends = (low, max(values) * _MARGIN)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_box_aspect(1)
    band = axes.fill_between(
        ends, [(1 - _NEAR) * end for end in ends], [(1 + _NEAR) * end for end in ends], color="#dddddd", linewidth=0
    )
    (line,) = axes.plot(ends, ends, color="black", linewidth=0.9)
    return {"ours = measured": line, f"within {100 * _NEAR:g} %": band}
