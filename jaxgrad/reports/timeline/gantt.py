"""Gantt charts: what each tile does in which cycles, a panel for each schedule, all on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from jaxgrad.array.choice import backward_mappings
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import Schedule
from jaxgrad.hardware import Accelerator
from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.numbers import short, tick
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import SCREEN, TENSORS, FigureStyle
from jaxgrad.reports.timeline.activities import Activity, Stretch, stretches
from jaxgrad.reports.timeline.runs import first_tiles

TILES = 16  # a panel; more would not be legible

_PANEL_INCHES = (0.75, 0.18, 2.4)  # at least, a tile, at most
_RUN_INCHES = 0.3  # a run in the overview
_HEIGHT = 0.8  # of a bar, in rows
_NAME_CHARACTERS = 24  # of a schedule
_TITLE_CHARACTERS = 100  # of a panel
_ROOM_FOR_TOTALS = 1.12
_FEWEST_ROWS = 3  # of a panel, so that one tile makes no broad band


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


class _Run(NamedTuple):
    """A schedule's run: the whole of it in stretches, and the first tiles one by one."""

    name: str
    cycles: int
    stretches: list[Stretch]
    tiles: int
    activities: list[Activity]


def gantt(
    schedules: Sequence[str | Schedule],
    gemm: Gemm,
    array: Accelerator,
    path: Path,
    title: str,
    *,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """Draws the schedules' runs.

    Where a run has more tiles than a panel holds, an overview on top shows all runs from the first cycle to the last,
    and the panels enlarge the same first cycles of each.

    Args:
        schedules: a panel each.
        gemm: the layer's shape.
        array: the hardware.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
    """
    runs = [_run(schedule, gemm, array) for schedule in schedules]
    cut = any(run.tiles > TILES for run in runs)
    last = max(run.cycles for run in runs)
    shown = min(_first_beyond(run) for run in runs) if cut else last
    drawn = [[activity for activity in run.activities if activity.start < shown] for run in runs]
    least, a_tile, most = _PANEL_INCHES
    rows = [max(_FEWEST_ROWS, 1 + max(one.tile.number for one in activities)) for activities in drawn]
    heights = [min(max(least, a_tile * count), most) for count in rows]
    overview = [0.35 + _RUN_INCHES * len(runs)] if cut else []
    figure = Page(1.5 + sum(heights) + 0.55 * len(runs) + sum(overview) + 0.6 * len(overview), style)
    panels = figure.subplots(
        len(overview) + len(runs), squeeze=False, gridspec_kw={"height_ratios": [*overview, *heights]}
    )[:, 0]
    if cut:
        title += f"\nabove: the whole runs; below: the first {shown:,} cycles of each, tile by tile"
        _draw_overview(panels[0], runs, last, shown)
    for axes, run, activities, count in zip(panels[len(overview) :], runs, drawn, rows, strict=True):
        _draw_tiles(axes, run, activities, count, shown)
        axes.set_xlim(0, shown if cut else 1.02 * last)
        axes.tick_params(labelbottom=axes is panels[-1])
    canvas.label(panels[-1].xaxis, "clock cycle, at the array's first row and column")
    used = {_key(activity) for activities in drawn for activity in activities}
    patches = {
        look.label: Patch(facecolor=look.colour, edgecolor="white", hatch=look.hatch)
        for key, look in _STYLES.items()
        if key in used | {result for run in runs if cut for stretch in run.stretches for result in stretch.results}
    }
    canvas.legend(figure, patches, len(patches))
    return canvas.save(figure, path, title)


def _run(schedule: str | Schedule, gemm: Gemm, array: Accelerator) -> _Run:
    run = first_tiles(schedule, gemm, array, TILES + 1)
    whole_run = stretches(backward_mappings(schedule, gemm, array), gemm, array)
    return _Run(run.schedule, run.cycles, whole_run, run.tiles, list(run.activities))


def _first_beyond(run: _Run) -> int:
    """The first cycle of the first tile beyond a panel's rows; of a shorter run, its end."""
    return min((activity.start for activity in run.activities if activity.tile.number >= TILES), default=run.cycles)


def _draw_overview(axes: Axes, runs: Sequence[_Run], last: int, shown: int) -> None:
    """A bar a run, from its first cycle to its last, and a mark where the panels below end."""
    style = canvas.style_of(axes)
    for row, run in enumerate(runs):
        for stretch in run.stretches:
            height = _HEIGHT / len(stretch.results)
            for index, result in enumerate(stretch.results):
                axes.broken_barh(
                    [(stretch.start, stretch.stop - stretch.start)],
                    (row - _HEIGHT / 2 + index * height, height),
                    facecolor=_STYLES[result].colour,
                    edgecolor="white",
                    linewidth=0.4,
                )
        axes.annotate(
            short(run.cycles),
            (run.cycles, row),
            (4, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=style.note_pt,
        )
    axes.axvline(shown, color="black", linewidth=1, linestyle=":")
    axes.set_xlim(0, (_ROOM_FOR_TOTALS + 0.1 * style.is_narrow) * last)
    axes.set_ylim(len(runs) - 0.5, -0.5)
    names = told_apart([run.name for run in runs], style.names(_NAME_CHARACTERS))
    axes.set_yticks(range(len(runs)), names, fontsize=style.tick_pt)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=style.ticks(7)))
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.tick_params(axis="x", labelsize=style.tick_pt)
    canvas.label(axes.xaxis, f"clock cycle of the whole run (dotted: cycle {shown:,}, where the panels below end)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_tiles(axes: Axes, run: _Run, activities: Sequence[Activity], rows: int, shown: int) -> None:
    for activity in activities:
        key = _key(activity)
        if key is None:
            continue
        look, bottom, height = _STYLES[key], activity.tile.number - _HEIGHT / 2, _HEIGHT
        if activity.kind == "stream" and activity.stride > 1:  # the slots share the tile's row
            height /= activity.stride
            bottom += height * (key == "dw")
        axes.broken_barh(
            [(activity.start, activity.cycles)],
            (bottom, height),
            facecolor=look.colour,
            hatch=look.hatch,
            edgecolor="white",
            linewidth=0.4,
            zorder=1.5 if activity.kind == "stall" else 2,
        )
    if run.cycles <= shown:
        axes.axvline(run.cycles, color="black", linewidth=1, linestyle="--")
    style = canvas.style_of(axes)
    axes.set_title(
        canvas.wrapped(_described(run), style.characters(_TITLE_CHARACTERS)), fontsize=style.label_pt, loc="left"
    )
    axes.set_ylim(rows - 0.5, -0.5)
    canvas.label(axes.yaxis, "tile")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=style.ticks(9)))
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.tick_params(labelsize=style.tick_pt)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def _described(run: _Run) -> str:
    """The schedule, its cycles, and its tiles by what they compute."""
    tiles = ", then ".join(
        f"{stretch.tiles:,} {'tile' if stretch.tiles == 1 else 'tiles'} of "
        f"{' and '.join(TENSORS[result] for result in stretch.results)}"
        for stretch in run.stretches
    )
    return f"{run.name}: {run.cycles:,} cycles, {tiles}"


def _key(activity: Activity) -> str | None:
    """The bar's style; None for a stall that another tile's bar, or white, shows already."""
    if activity.kind == "stall":
        return "wavefront" if activity.what == "wavefront" else None
    return activity.what if activity.kind == "stream" else activity.kind
