"""Which schedules a choice took: their shares of the layers and of the cycles, network by network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from jaxgrad.costs.shares import Share
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas, stacks
from jaxgrad.reports.style import SCREEN, FigureStyle, Look, colours, schedule_label


def choices(
    networks: Mapping[str, Sequence[Share]], path: Path, title: str, *, style: FigureStyle = SCREEN
) -> list[Path]:
    """Two horizontal stacked bars for each network: the share of its layers, and of its cycles, by schedule that ran.

    Args:
        networks: by name, from ``costs.shares.shares``.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("networks", [share for shares in networks.values() for share in shares])
    names = dict.fromkeys(share.schedule for shares in networks.values() for share in shares)
    looks = {name: Look(schedule_label(name), colour) for name, colour in colours(names).items()}
    groups = {
        network: {
            "layers": _parts({share.schedule: share.layers for share in shares}),
            "cycles": _parts({share.schedule: share.cycles for share in shares}),
        }
        for network, shares in networks.items()
    }
    stack = stacks.Stack(groups, looks)
    figure = Page(1.35 + stacks.height_inches(stack), style)
    axes: Axes = figure.subplots()
    stacks.draw(axes, stack, [""] * len(stack.rows))
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    canvas.label(axes.xaxis, "share of the network's layers, and of their backward cycles")
    canvas.legend(figure, stacks.handles(stack), 6)
    stacks.name_parts(figure, axes, stack)
    return canvas.save(figure, path, title)


def _parts(values: Mapping[str, int]) -> dict[str, float]:
    total = sum(values.values())
    return {name: value / total if total else 0.0 for name, value in values.items()}
