"""Figures of a run, legible without colour vision: Okabe and Ito's colours, and the order of the legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from jaxgrad.array.counts import ACCESSES, READS, SRAM, WRITES, Key
from jaxgrad.costs import LayerCost, StepCost, accesses, time_cycles
from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.numbers import short, tick
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import SCREEN, FigureStyle, colours, schedule_label

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


def training_curve(
    records: Sequence[Mapping[str, Any]], path: Path, title: str, *, style: FigureStyle = SCREEN
) -> list[Path]:
    """Loss and accuracy of each epoch, on the training and the test images; ``path`` is without suffixes."""
    across = style.columns(2)
    figure = Page(3.6 if across == 2 else 4.4, style)
    loss, accuracy = figure.subplots(2 // across, across, squeeze=False).reshape(-1)
    epochs = [record["epoch"] for record in records]
    for part, colour, marker in (("train", "#0072B2", "o"), ("test", "#D55E00", "s")):
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3.5, "label": part}
        # A loss that has diverged is None in the log, nan here: a gap in the line.
        loss.plot(epochs, np.array([record[f"{part}_loss"] for record in records], float), **look)
        accuracy.plot(epochs, [record[f"{part}_accuracy"] for record in records], **look)
    loss.set_ylim(0, None)
    canvas.label(loss.yaxis, "cross-entropy [nats]")
    canvas.label(accuracy.yaxis, "accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    for axes in (loss, accuracy):
        canvas.label(axes.xaxis, "epoch")
        canvas.dress(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, loc="best", fontsize=style.tick_pt)
    return canvas.save(figure, path, title)


def cycles_by_layer(cost: StepCost, path: Path, title: str, *, style: FigureStyle = SCREEN) -> list[Path]:
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
    figure = Page(1.4 + sum(heights) + 0.5 * (len(groups) - 1), style)
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    bars = [_grouped_bars(axes, group, cost.schedules) for axes, group in zip(panels, groups, strict=True)]
    canvas.label(panels[-1].xaxis, "clock cycles of the backward pass")
    canvas.legend(figure, bars[-1], len(cost.schedules))
    return canvas.save(figure, path, title)


def _grouped_bars(axes: Axes, groups: Mapping[str, Sequence[int]], schedules: Sequence[str]) -> dict[str, BarContainer]:
    """Horizontal bars, a group for each name, with a number at the end of each; returns them by schedule."""
    style = canvas.style_of(axes)
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
        axes.bar_label(container, [short(value) for value in cycles], padding=3, fontsize=style.part_pt)
    axes.set_yticks(places, told_apart(list(groups), style.names(_NAME_CHARACTERS)), fontsize=style.label_pt)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    _make_room(axes)
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.tick_params(axis="x", labelsize=style.tick_pt)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=style.ticks(8)))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return bars


def accesses_by_kind(cost: StepCost, path: Path, title: str, *, style: FigureStyle = SCREEN) -> list[Path]:
    """SRAM accesses of the backward pass of all layers: a bar a schedule, stacked by what is read or written."""
    totals = {schedule: cost.total(schedule) for schedule in cost.schedules}
    kinds = [kind for kind in ACCESSES if any(counts[kind] for counts in totals.values())]
    figure = Page(1.9 + 0.42 * len(totals), style)
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
            hatch="////" if kind.action == WRITES else "",
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
            fontsize=style.tick_pt,
        )
    names = [schedule_label(schedule) for schedule in totals]
    axes.set_yticks(places, told_apart(names, style.names(_NAME_CHARACTERS)), fontsize=style.label_pt)
    axes.tick_params(axis="x", labelsize=style.tick_pt)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=style.ticks(8)))
    axes.invert_yaxis()
    _make_room(axes)
    canvas.label(axes.xaxis, "SRAM accesses of the backward pass [words]")
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.legend(figure, bars, 4)
    return canvas.save(figure, path, title)


def _costliest(cost: StepCost) -> list[LayerCost]:
    """The layers of most cycles under the first schedule, as many as a page holds, in the model's order."""
    by_cycles = sorted(cost.layers, key=lambda layer: time_cycles(layer.backward[cost.schedules[0]]), reverse=True)
    kept = {layer.path for layer in by_cycles[:_LAYERS_A_PAGE]}
    return [layer for layer in cost.layers if layer.path in kept]


def _make_room(axes: Axes) -> None:
    """Room for the numbers at the ends of the bars."""
    longest = max(bar.get_x() + bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle))
    axes.set_xlim(0, (1.25 if canvas.style_of(axes).is_narrow else 1.1) * longest)
