"""The figure of a design space: its objectives against each other, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.designs.schema import COLUMNS
from jaxgrad.reports import plots
from jaxgrad.reports.numbers import given
from jaxgrad.reports.quantities import of_column
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies.design_sweep import Gathered

_TOLD = ("double_buffered", "order", "precision", "sram_kib", "dram_gb_per_s")
"""The columns of a design's parameters, besides its sizes and its schedule, which every label has."""
_UNITS = {"sram_kib": "KiB", "dram_gb_per_s": "GB/s"}


def front(path: Path, found: Gathered, *, style: FigureStyle = SCREEN) -> list[Path]:
    """Draws some designs of one network and batch, and all Pareto-optimal ones; nothing where there is one objective.

    Args:
        path: of the files, without their suffixes.
        found: the designs; of its objectives the first two are the axes.
        style: how it is printed.
    """
    if len(found.objectives) < 2 or not found.count:
        return []
    columns = [COLUMNS[objective] for objective in found.objectives]
    rows = [tuple(zip(found.front, values, strict=True)) for table in (found.drawn, found.front)
            for values in zip(*table.values(), strict=True)]  # fmt: skip
    designs = [dict(row) for row in dict.fromkeys(rows)]
    told_apart = [name for name in _TOLD if len(found.values.get(name, ())) > 1]
    points = [
        plots.Point(_label(row, told_apart), tuple(row[name] for name in columns), row["schedule"]) for row in designs
    ]
    quantities = [of_column(name, [point.costs[at] for point in points]) for at, name in enumerate(columns)]
    names = [quantity.name for quantity in quantities]
    title = f"{found.network}, batch {found.batch}: {', '.join(names[:-1])} and {names[-1]}"
    return plots.pareto(points, path, f"{title} ({len(points):,} of {found.count:,} designs)", quantities, style=style)


def _label(design: Mapping[str, Any], told_apart: Sequence[str]) -> str:
    def written(name: str) -> str:
        value: Any = design[name]
        if name == "double_buffered":
            return "double-buffered" if value else "serial"
        return f"{given(value)} {_UNITS[name]}" if name in _UNITS else str(value)

    sizes = f"{design['rows']}x{design['cols']} {design['schedule']}"
    return ", ".join([sizes, *map(written, told_apart)])
