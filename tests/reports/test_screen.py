"""Tables on narrow consoles: every cell is there, and no two rows read the same."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from jaxgrad.reports import screen
from jaxgrad.reports.screen import PlainTable

ALIKE = "interleaved, best order of the blocks, "
NUMBERS = ["cycles", "ratio", "SRAM\n[words]", "DRAM\n[bytes]", "energy\n[mJ]", "area\n[mm2]", "PEs"]


def table_of(names: list[str], columns: int = len(NUMBERS)) -> PlainTable:
    table = PlainTable("a title")
    table.add_column("network", names=True)
    table.add_column("variant", names=True)
    for header in NUMBERS[:columns]:
        table.add_column(header, justify="right", no_wrap=True)
    for index, name in enumerate(names):
        table.add_row("" if index else "resnet50", name, *(f"{index}{place}2,345.67" for place in range(columns)))
    return table


def shown(table: PlainTable, width: int) -> str:
    console = screen.console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("rows", [1, 100])
def test_every_cell_is_shown_at_any_width(rows: int, width: int) -> None:
    names = [f"{ALIKE}[no {index}] $x$ \u00e9" for index in range(rows)]
    text = shown(table_of(names), width)
    assert "\u2026" not in text
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= width
    for index in range(rows):
        assert all(f"{index}{place}2,345.67" in text for place in range(len(NUMBERS)))
    letters = "".join(text.split())
    assert all("".join(part.split()) in text for header in NUMBERS for part in header.split("\n"))
    assert letters.count("resnet50") == text.count("a title")


def test_a_table_that_fits_is_in_one_part_and_names_wrap_before_it_is_split() -> None:
    assert "continued" not in shown(table_of(["interleaved"], columns=4), 80)
    assert "continued" not in shown(table_of([ALIKE + "x", ALIKE + "y"], columns=3), 80)
    parts = shown(table_of([ALIKE + "x", ALIKE + "y"]), 80)
    assert parts.count("(continued)") == 1
    assert parts.count("variant") == 2
