"""Figures as PNG files, legible without colour vision: Okabe and Ito's colours, and the order of the legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from jaxgrad.array.counts import ACCESSES, READS, SRAM, WRITES, Key
from jaxgrad.base.files import whole
from jaxgrad.costs import LayerCost, StepCost, accesses, time_cycles
from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.numbers import short, tick
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import DPI, colours, schedule_label

_KIND_COLOURS = {
    Key(SRAM, "w", READS): "#0072B2",
    Key(SRAM, "w", WRITES): "#56B4E9",
    Key(SRAM, "x", READS): "#E69F00",
    Key(SRAM, "dy", READS): "#D55E00",
    Key(SRAM, "psum", READS): "#009E73",
    Key(SRAM, "psum", WRITES): "#8FD3B6",
    Key(SRAM, "dw", READS): "#F0E442",
    Key(SRAM, "dw", WRITES): "#CC79A7",
}
_KIND_LABELS = {
    Key(SRAM, "w", READS): "W reads",
    Key(SRAM, "w", WRITES): "W writes",
    Key(SRAM, "x", READS): "X reads",
    Key(SRAM, "dy", READS): "dY reads",
    Key(SRAM, "psum", READS): "psum reads",
    Key(SRAM, "psum", WRITES): "psum writes",
    Key(SRAM, "dw", READS): "dW reads",
    Key(SRAM, "dw", WRITES): "dW writes",
}
_LAYERS_A_PAGE = 12
_BAR_INCHES = 0.115
_NAME_CHARACTERS = 30  # of a layer


def training_curve(records: Sequence[Mapping[str, Any]], path: Path, title: str) -> Path:
    """Loss and accuracy of each epoch, on the training and the test images."""
    figure = Page(3.6)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [record["epoch"] for record in records]
    for part, colour, marker in (("train", "#0072B2", "o"), ("test", "#D55E00", "s")):
        style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3.5, "label": part}
        # A loss that has diverged is None in the log, nan here: a gap in the line.
        loss.plot(epochs, np.array([record[f"{part}_loss"] for record in records], float), **style)
        accuracy.plot(epochs, [record[f"{part}_accuracy"] for record in records], **style)
    loss.set(xlabel="epoch", ylabel="cross-entropy [nats]", ylim=(0, None))
    accuracy.set(xlabel="epoch", ylabel="accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    for axes in (loss, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="best")
    return _save(figure, path, title)


def cycles_by_layer(cost: StepCost, path: Path, title: str) -> Path:
    """Cycles of the backward pass: all layers together, then layer by layer; of a deep network the costliest ones.

    A group of bars a layer, a bar a schedule. Sums over layers stand in a panel of their own, with an axis of its own.
    """
    layers = _costliest(cost)
    others = len(cost.layers) - len(layers)
    rows = {layer.path: [time_cycles(layer.backward[schedule]) for schedule in cost.schedules] for layer in layers}
    groups = [rows]
    if len(cost.layers) > 1:
        totals = [time_cycles(cost.total(schedule)) for schedule in cost.schedules]
        sums = {f"all {len(cost.layers)} layers": totals}
        groups = [sums, rows]
        if others:
            title += f"\nthe {len(layers)} costliest of {len(cost.layers)} layers, and the sum of the others"
            shown = [sum(column) for column in zip(*rows.values(), strict=True)]
            sums[f"the {others} others"] = [total - part for total, part in zip(totals, shown, strict=True)]
    heights = [_BAR_INCHES * len(group) * (len(cost.schedules) + 1.2) for group in groups]
    figure = Page(1.4 + sum(heights) + 0.5 * (len(groups) - 1))
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    bars = [_grouped_bars(axes, group, cost.schedules) for axes, group in zip(panels, groups, strict=True)]
    panels[-1].set_xlabel("clock cycles of the backward pass")
    canvas.legend(figure, bars[-1], len(cost.schedules))
    return _save(figure, path, title)


def _grouped_bars(axes: Axes, groups: Mapping[str, Sequence[int]], schedules: Sequence[str]) -> dict[str, BarContainer]:
    """Horizontal bars, a group for each name, with a number at the end of each; returns them by schedule."""
    places = np.arange(len(groups))
    height, colour = 0.84 / len(schedules), colours(schedules)
    bars: dict[str, BarContainer] = {}
    for index, schedule in enumerate(schedules):
        cycles = [group[index] for group in groups.values()]
        label = schedule_label(schedule)
        bars[label] = container = axes.barh(
            places + (index - (len(schedules) - 1) / 2) * height,
            np.array(cycles, float),  # counts may be longer than 64 bits
            height,
            color=colour[schedule],
            label=label,
        )
        axes.bar_label(container, [short(value) for value in cycles], padding=3, fontsize=7)
    axes.set_yticks(places, told_apart(list(groups), _NAME_CHARACTERS), fontsize=9)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    _make_room(axes)
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return bars


def accesses_by_kind(cost: StepCost, path: Path, title: str) -> Path:
    """SRAM accesses of the backward pass of all layers: a bar a schedule, stacked by what is read or written."""
    totals = {schedule: cost.total(schedule) for schedule in cost.schedules}
    kinds = [kind for kind in ACCESSES if any(counts[kind] for counts in totals.values())]
    figure = Page(1.9 + 0.42 * len(totals))
    axes: Axes = figure.subplots()
    places = np.arange(len(totals))
    left = np.zeros(len(totals))
    bars: dict[str, BarContainer] = {}
    for kind in kinds:
        words = np.array([counts[kind] for counts in totals.values()], float)
        bars[_KIND_LABELS[kind]] = axes.barh(
            places,
            words,
            0.66,
            left=left,
            color=_KIND_COLOURS[kind],
            edgecolor="white",
            linewidth=0.6,
        )
        left += words
    for place, counts in zip(places, totals.values(), strict=True):
        axes.annotate(
            short(accesses(counts)),
            (float(accesses(counts)), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(places, told_apart([schedule_label(schedule) for schedule in totals], _NAME_CHARACTERS))
    axes.invert_yaxis()
    _make_room(axes)
    axes.set_xlabel("SRAM accesses of the backward pass [words]")
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    canvas.legend(figure, bars, 4)
    return _save(figure, path, title)


def _costliest(cost: StepCost) -> list[LayerCost]:
    """The layers of most cycles under the first schedule, as many as a page holds, in the model's order."""
    by_cycles = sorted(cost.layers, key=lambda layer: time_cycles(layer.backward[cost.schedules[0]]), reverse=True)
    kept = {layer.path for layer in by_cycles[:_LAYERS_A_PAGE]}
    return [layer for layer in cost.layers if layer.path in kept]


def _make_room(axes: Axes) -> None:
    """Room for the numbers at the ends of the bars."""
    longest = max(bar.get_x() + bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle))
    axes.set_xlim(0, 1.1 * longest)


def _save(figure: Figure, path: Path, title: str) -> Path:
    canvas.entitle(figure, title)
    with whole(path) as partial:
        figure.savefig(partial, dpi=DPI)
    return path
