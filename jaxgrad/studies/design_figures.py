"""The figure of a design space: its objectives against each other, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.designs.schema import COLUMNS
from jaxgrad.designs.sweep import Table
from jaxgrad.reports import plots
from jaxgrad.reports.numbers import given
from jaxgrad.reports.quantities import of_column
from jaxgrad.reports.style import SCREEN, FigureStyle

_MOST = 3000  # designs, besides the Pareto-optimal ones
_UNITS = {"sram_kib": "KiB", "dram_gb_per_s": "GB/s"}


def front(
    path: Path,
    table: Table,
    rows: Sequence[int],
    network: str,
    batch: int,
    objectives: Sequence[str],
    *,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """Draws the designs of one network and batch; nothing where there is one objective alone.

    Args:
        path: of the files, without their suffixes.
        table: all designs of the sweep.
        rows: of the Pareto-optimal ones.
        network, batch: whose designs.
        objectives: of ``schema.OBJECTIVES``, the first two the axes.
        style: how it is printed.
    """
    if len(objectives) < 2 or not rows:
        return []
    columns = [table[COLUMNS[objective]] for objective in objectives]
    indices = [
        index
        for index, place in enumerate(zip(table["network"], table["batch"], strict=True))
        if place == (network, batch) and all(column[index] is not None for column in columns)
    ]
    # At random: at equal distances they could all have the same bandwidth, say.
    some = np.random.default_rng(0).choice(indices, min(_MOST, len(indices)), replace=False)
    drawn = sorted({*some.tolist(), *rows})
    told_apart = [name for name in _designs(table) if len({table[name][index] for index in indices}) > 1]
    points = [
        plots.Point(
            _label(table, index, told_apart), tuple(column[index] for column in columns), table["schedule"][index]
        )
        for index in drawn
    ]
    quantities = [
        of_column(COLUMNS[objective], [point.costs[at] for point in points]) for at, objective in enumerate(objectives)
    ]
    names = [quantity.name for quantity in quantities]
    title = f"{network}, batch {batch}: {', '.join(names[:-1])} and {names[-1]}"
    return plots.pareto(points, path, f"{title} ({len(points):,} of {len(indices):,} designs)", quantities, style=style)


def _designs(table: Table) -> list[str]:
    """The columns of a design's parameters, besides its sizes and its schedule, which every label has."""
    columns = ("double_buffered", "order", "precision", "sram_kib", "dram_gb_per_s")
    return [name for name in columns if name in table]


def _label(table: Table, index: int, told_apart: Sequence[str]) -> str:
    def written(name: str) -> str:
        value: Any = table[name][index]
        if name == "double_buffered":
            return "double-buffered" if value else "serial"
        return f"{given(value)} {_UNITS[name]}" if name in _UNITS else str(value)

    sizes = f"{table['rows'][index]}x{table['cols'][index]} {table['schedule'][index]}"
    return ", ".join([sizes, *map(written, told_apart)])
