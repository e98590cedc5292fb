"""``jaxgrad rtl --technology``: PEs of all kinds, synthesized, as a technology file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgrad.base.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from jaxgrad.rtl.areas import PeRow

_ASSUMPTIONS = (
    "PEs are those that jaxgrad rtl writes, by logic alone: no wires, no clock tree, no drive strengths",
    "transposable PEs are those of interleaved_k, and of best, which can run every schedule",
)
_LEGEND = "ratio: interleaved to ws"
_NARROW = "; with narrow weights, ws multiplies by these alone, for dX, and interleaved X by dY, too, for dW"


def write(out: Path, formats: Sequence[str], liberty: Path | None, *, as_json: bool) -> int:
    """Synthesizes all PEs of some formats, writes a technology with them and prints their table.

    Args:
        out: the file.
        formats: of PEs.
        liberty: cells to map them to.
        as_json: whether the table is JSON.
    """
    from jaxgrad.base.files import check_folder, write_text
    from jaxgrad.cli import progress, screen
    from jaxgrad.rtl import areas, synthesis
    from jaxgrad.rtl.datapath import DATAPATHS

    if out.is_dir() or out.suffix != ".toml":
        raise InputError("--technology", out, "give the path of a file that ends in .toml")
    check_folder("--technology", out.parent)
    version = synthesis.version()
    terminal = screen.console()
    found: dict[areas.PeChoice, float] = {}
    todo = areas.choices(areas.with_wide(formats))
    followed = progress.follow(todo, terminal, total=len(todo), label=str, start="synthesizing with Yosys")
    for choice in todo if as_json else followed:
        found[choice] = areas.um2(choice, liberty)
    rows = list(areas.rows(found))
    by = f"cells of {liberty.name}" if liberty else f"gate equivalents, {synthesis.NAND_UM2} um2 each, NanGate 45 nm"
    named = "".join(f" --format {name}" for name in formats if set(formats) != set(DATAPATHS))
    cells = f" --liberty {liberty.name}" if liberty else ""
    how = f"jaxgrad rtl --technology {out.name}{named}{cells} ({version}, {by})"
    write_text(out, areas.technology(out.stem, rows, how, _ASSUMPTIONS))
    if as_json:
        print(json.dumps({"technology": str(out), "pe_source": how, "pes": [row.as_dict() for row in rows]}))
        return 0
    terminal.print(_table(rows, "Area of a PE, um2"))
    terminal.print(_LEGEND + (_NARROW if any(DATAPATHS[row.format].weights for row in rows) else ""))
    terminal.print(f"by {version}, {by}")
    terminal.print(f"\nIn {out}: these areas, and energies and SRAM of {areas.BASE}", soft_wrap=True)
    return 0


def _table(rows: Sequence[PeRow], title: str) -> Table:
    from jaxgrad.reports.screen import PlainTable
    from jaxgrad.rtl.areas import MACHINES

    table = PlainTable(title=title)
    table.add_column("format", no_wrap=True)
    table.add_column("buffering")
    for schedule in MACHINES.values():
        table.add_column(schedule, justify="right")
    table.add_column("ratio", justify="right")
    for row in rows:
        sizes = (f"{um2:,.0f}" for um2 in row.um2.values())
        buffering = "double" if row.double_buffered else "single"
        table.add_row(row.format, buffering, *sizes, f"{row.interleaved_over_ws:.2f}")
    return table
