"""Gantt charts: what each tile does in which cycles, a panel for each schedule on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from jaxgrad.base.files import whole
from jaxgrad.reports.pages import Page
from jaxgrad.reports.timeline.activities import Activity
from jaxgrad.reports.timeline.runs import Shown

TILES = 12  # a panel; more would not be legible

_DPI = 150
_ROW_INCHES = 0.2
_HEIGHT = 0.8  # of a tile's bar, in rows


class _Style(NamedTuple):
    """Okabe and Ito's colours, and hatches that tell the bars apart without them."""

    label: str
    colour: str
    hatch: str


_STYLES = {
    "load": _Style("load", "#56B4E9", "////"),
    "dx": _Style("stream, dX slots", "#0072B2", ""),
    "dw": _Style("stream, dW slots", "#E69F00", ""),
    "wavefront": _Style("wavefront crosses the array", "#DDDDDD", ""),
    "drain": _Style("drain", "#009E73", r"\\\\"),
}


def gantt(runs: Sequence[Shown], paths: Sequence[Path], title: str) -> None:
    """Draws the runs and saves the figure under each path, PNG or SVG by its name.

    Args:
        runs: a panel each; ``runs.first_tiles(..., TILES)`` has as many tiles as a panel holds.
        paths: the files to write.
        title: the figure's first line; a second one says it where tiles are left out.
    """
    drawn = [list(run.activities) for run in runs]
    if not all(run.whole for run in runs):
        title += f"\nthe first {max(run.shown_tiles for run in runs)} tiles of each schedule"
    heights = [max(run.shown_tiles, 3) * _ROW_INCHES for run in runs]
    figure = Page(1.5 + sum(heights) + 0.55 * len(runs))
    panels = figure.subplots(len(runs), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, run, activities in zip(panels, runs, drawn, strict=True):
        _panel(axes, run, activities)
    panels[0].set_xlim(0, 1.02 * max(activity.stop for activities in drawn for activity in activities))
    panels[-1].set_xlabel("clock cycle, at the array's first row and column")
    used = {_key(activity) for activities in drawn for activity in activities}
    patches = [
        Patch(facecolor=style.colour, edgecolor="white", hatch=style.hatch, label=style.label)
        for key, style in _STYLES.items()
        if key in used
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    for path in paths:
        with whole(path) as partial:
            figure.savefig(partial, dpi=_DPI)


def _panel(axes: Axes, run: Shown, activities: list[Activity]) -> None:
    for activity in activities:
        key = _key(activity)
        if key is None:
            continue
        style, bottom, height = _STYLES[key], activity.tile.number - _HEIGHT / 2, _HEIGHT
        if activity.kind == "stream" and activity.stride > 1:  # the slots share the tile's row
            height /= activity.stride
            bottom += height * (key == "dw")
        axes.broken_barh(
            [(activity.start, activity.cycles)],
            (bottom, height),
            facecolor=style.colour,
            hatch=style.hatch,
            edgecolor="white",
            linewidth=0.4,
            zorder=1.5 if activity.kind == "stall" else 2,
        )
    if run.whole:
        axes.axvline(run.cycles, color="black", linewidth=1, linestyle="--")
    axes.set_title(run.note, fontsize=9, loc="left")
    axes.set_ylim(max(run.shown_tiles, 3) - 0.5, -0.5)
    axes.set_ylabel("tile", fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def _key(activity: Activity) -> str | None:
    """The bar's style; None for a stall that another tile's bar, or white, shows already."""
    if activity.kind == "stall":
        return "wavefront" if activity.what == "wavefront" else None
    return activity.what if activity.kind == "stream" else activity.kind
