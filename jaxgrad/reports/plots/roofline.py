"""Roofline plots: throughput of the layers under the bounds of peak compute (PEs) and of DRAM bandwidth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from jaxgrad.array.counts import MACS
from jaxgrad.base.errors import InputError
from jaxgrad.costs import Summary
from jaxgrad.reports.numbers import measured, tick
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import PHASE_MARKERS, PHASES, SCREEN, FigureStyle

_LARGEST_POINTS = 90.0  # area of the marker of the longest phase, in points squared
_SMALLEST_POINTS = 7.0
_TITLE_CHARACTERS = 54
_NEAR_EDGE = 0.17  # of a panel's width: half of what the ridge's text takes


class Position(NamedTuple):
    """A phase of a layer.

    Args:
        phase: a key of ``style.PHASES``.
        macs_per_byte: of DRAM traffic.
        macs_per_cycle: stalls included.
        cycles: that it takes.
    """

    phase: str
    macs_per_byte: float
    macs_per_cycle: float
    cycles: int


def positions(summary: Summary) -> list[Position]:
    """Each layer's phases that do MACs and move bytes."""
    return [
        Position(phase.phase.name, intensity, phase.counts[MACS] / phase.time_cycles, phase.time_cycles)
        for layer in summary.layers
        for phase in layer.phases
        if (intensity := phase.macs_per_dram_byte) and phase.time_cycles
    ]


def roofline(summaries: Mapping[str, Summary], path: Path, title: str, *, style: FigureStyle = SCREEN) -> list[Path]:
    """MACs per cycle against MACs per byte of DRAM traffic: a panel a label, a point for each phase of each layer.

    Cycles count stalls. The roof is what PEs and DRAM can do at best; at the ridge one limits as much as the other.

    Args:
        summaries: by label.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.

    Raises:
        ValueError: nothing to draw, or a summary without a memory.
    """
    canvas.some("summaries", summaries)
    ridges = []
    for label, summary in summaries.items():
        if summary.dram_bytes_per_cycle is None:
            raise InputError(
                "summaries", label, "cost it on a machine with one", problem=f"got {label!r} without a memory"
            )
        ridges.append(summary.pes / summary.dram_bytes_per_cycle)
    points = {label: positions(summary) for label, summary in summaries.items()}
    everything = [point for label_points in points.values() for point in label_points]
    canvas.some("summaries with layers", everything)
    columns = min(style.columns(2), len(summaries))
    rows = -(-len(summaries) // columns)
    figure = Page(
        1.0 + (3.8 if columns == 1 and not style.is_narrow else 2.6 if style.is_narrow else 3.0) * rows, style
    )
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    room = style.characters(2 * _TITLE_CHARACTERS) // columns
    longest = max(point.cycles for point in everything)
    low = min(*(point.macs_per_byte for point in everything), *ridges) / 2
    high = max(*(point.macs_per_byte for point in everything), *ridges) * 2
    for axes, (label, summary), ridge in zip(panels, summaries.items(), ridges, strict=False):
        _draw_roof(axes, summary, ridge, low, high)
        _draw_points(axes, points[label], longest)
        name = f"{label}: {summary.pes:,} PEs, {tick(round(summary.dram_bytes_per_cycle or 0, 2))} B/cycle"
        axes.set_title(canvas.wrapped(name, min(_TITLE_CHARACTERS, room)), fontsize=style.tick_pt)
        axes.tick_params(labelsize=style.tick_pt)
        axes.grid(alpha=0.3, linewidth=0.5)
    bottom = min(point.macs_per_cycle for point in everything) / 2
    top = 3.5 * max(summary.pes for summary in summaries.values())
    canvas.scale(panels[0].xaxis, (low, high))
    canvas.scale(panels[0].yaxis, (bottom, top))
    panels[0].set(xlim=(low, high), ylim=(bottom, top))
    for axes in panels[len(summaries) :]:
        axes.set_visible(False)
    for axes in panels[len(summaries) - columns : len(summaries)]:
        axes.tick_params(labelbottom=True)
        canvas.label(axes.xaxis, "MACs per byte of DRAM traffic")
    for axes in panels[::columns]:
        canvas.label(axes.yaxis, "MACs per clock cycle")
    canvas.legend(figure, _handles({point.phase for point in everything}), 6)
    return canvas.save(figure, path, title)


def _draw_roof(axes: Axes, summary: Summary, ridge: float, low: float, high: float) -> None:
    axes.plot([low, ridge, high], [summary.pes * low / ridge, summary.pes, summary.pes], color="black", linewidth=1.2)
    axes.axvline(ridge, color="black", linewidth=0.7, linestyle=":")
    # Beside the ridge where over it the text would leave the panel.
    place = math.log(ridge / low) / math.log(high / low)
    side, away = ("left", 4) if place < _NEAR_EDGE else ("right", -4) if place > 1 - _NEAR_EDGE else ("center", 0)
    axes.annotate(
        f"ridge point: {measured(ridge)} MACs/B", (ridge, summary.pes), (away, 11), textcoords="offset points", ha=side,
        fontsize=canvas.style_of(axes).note_pt, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def _draw_points(axes: Axes, points: list[Position], longest: int) -> None:
    for phase in PHASE_MARKERS:
        shown = [point for point in points if point.phase == phase]
        if shown:
            share = np.array([point.cycles for point in shown], float) / longest
            axes.scatter(
                [point.macs_per_byte for point in shown],
                [point.macs_per_cycle for point in shown],
                np.maximum(_LARGEST_POINTS * share, _SMALLEST_POINTS),
                facecolor=to_rgba(PHASES[phase].colour, 0.35),
                edgecolor=PHASES[phase].colour,
                marker=PHASE_MARKERS[phase],
                linewidth=0.9,
                label=phase,
                zorder=3,
            )


def _handles(phases: set[str]) -> dict[str, Line2D]:
    handles = {
        PHASES[phase].label: Line2D([], [], color=PHASES[phase].colour, marker=marker, linestyle="none", markersize=6)
        for phase, marker in PHASE_MARKERS.items()
        if phase in phases
    }
    nothing = Line2D([], [], linestyle="none")
    return handles | {"one marker a layer, its area the cycles": nothing}
