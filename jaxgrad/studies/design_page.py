"""The page of a design space: its designs in a chart to look around in, and the Pareto-optimal ones as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgrad.designs.schema import COLUMNS, SpaceSection
from jaxgrad.designs.sweep import RESULTS, Table
from jaxgrad.reports import html
from jaxgrad.reports.interactive.designs import Designs, Result, widget
from jaxgrad.reports.quantities import of_column, of_time
from jaxgrad.studies.design_sweep import Gathered, merged

_LISTED = 1000  # Pareto-optimal ones in the table
_LABELS = {"double_buffered": "double-buffered PEs", "sram_kib": "SRAM [KiB]", "dram_gb_per_s": "DRAM [GB/s]"}
_WORTH = ("cycles", "energy_pj", "area_um2", "edp_js", "dram_bytes")  # as axes, before other results


class Shown(NamedTuple):
    """What a page shows of however many designs.

    Args:
        table: designs that have all objectives, the Pareto-optimal ones first.
        rows: which line of the data each is, from 1 on.
        optimal: how many of them are Pareto-optimal; all there are.
        able: of how many designs with all objectives.
        designs: of how many designs.
    """

    table: Table
    rows: Sequence[int]
    optimal: int
    able: int
    designs: int


def shown(found: Sequence[Gathered]) -> Shown:
    """Every front, and of the other designs those that were drawn by chance.

    Args:
        found: what is kept of each network and batch.
    """
    fronts = [line for each in found for line in each.front_lines]
    optimal = set(fronts)
    others, lines = merged(each.drawn for each in found), [line for each in found for line in each.drawn_lines]
    rest = [row for row, line in enumerate(lines) if line not in optimal]
    picked = {name: [values[row] for row in rest] for name, values in others.items()}
    table = merged([*(each.front for each in found), picked])
    rows = [*fronts, *(lines[row] for row in rest)]
    return Shown(table, rows, len(fronts), sum(each.count for each in found), sum(each.total for each in found))


def write(
    path: Path, title: str, shown: Shown, objectives: Sequence[str], clock_ghz: float, data: Sequence[Path] = ()
) -> list[Path]:
    """Writes it, whole or not at all; nothing where no design fits.

    Args:
        path: of the HTML file.
        title: of the space.
        shown: the designs.
        objectives: of the front.
        clock_ghz: of all designs.
        data: files that it links to.

    Returns:
        The file, if there is one.
    """
    if not shown.rows:
        return []
    designs = _designs(shown, objectives, clock_ghz)
    listed = np.linspace(0, shown.optimal - 1, min(shown.optimal, _LISTED), dtype=int).tolist()  # of each network some
    names = [of_column(COLUMNS[objective], ()).name for objective in objectives]
    best = f"none is as good in {', '.join(names)} and better in one" if len(names) > 1 else f"none has less {names[0]}"
    front = f"Outlined are the Pareto-optimal designs of each network and batch: {best}."
    line = " Where both axes are of these, a line joins the best." if len(names) > 1 else ""
    caption = "Pareto-optimal designs" + (
        f", {len(listed):,} of {shown.optimal:,}" if len(listed) < shown.optimal else ""
    )
    section = html.Section(
        "The designs by what they take",
        [_extent(shown), front + line],
        [designs.table(listed, caption)],
        widgets=[widget(designs, listed)],
        notes=[f"row: which line it is of {data[0].name}" if data else "row: which line it is of the table"],
    )
    return [html.write(path, title, [section], data)]


def _designs(shown: Shown, objectives: Sequence[str], clock_ghz: float) -> Designs:
    table, known = shown.table, {COLUMNS[objective] for objective in objectives}
    if {"cycles", "energy_pj"} <= known:  # which decide their product
        known.add("edp_js")
    # Those for the axes first: two objectives or, of one alone, it and what it is worth looking at against.
    first = [*(COLUMNS[objective] for objective in objectives), *_WORTH, *RESULTS]
    there = [name for name in dict.fromkeys(first) if name in table and None not in table[name]]
    results = {name: Result(of_column(name, table[name]), table[name], name in known) for name in there}
    times = [cycles / (clock_ghz * 1e9) for cycles in table["cycles"]]
    axes = [*results.values()]
    axes.insert(2, Result(of_time(times), times, "cycles" in known))
    labels = {
        name: _LABELS.get(name, name) for name in ("network", "batch", *SpaceSection.model_fields) if name in table
    }
    several = [labels[name] for name in ("schedule", *labels) if len(set(table[name])) > 1]
    return Designs(
        shown.rows,
        [index < shown.optimal for index in range(len(shown.rows))],
        [f"{network}, batch {batch}" for network, batch in zip(table["network"], table["batch"], strict=True)],
        {label: table[name] for name, label in labels.items()},
        axes,
        several[0] if several else "schedule",
    )


def _extent(shown: Shown) -> str:
    misfits = shown.designs - shown.able
    unfit = f" {misfits:,} more do not fit, or have no area." if misfits else ""
    if len(shown.rows) == shown.able:
        return f"All {shown.able:,} designs are drawn; {shown.optimal:,} are Pareto-optimal.{unfit}"
    return (
        f"{len(shown.rows):,} of {shown.able:,} designs are drawn: all {shown.optimal:,} Pareto-optimal ones, and some "
        f"of the others by chance, each as likely as any other.{unfit}"
    )
