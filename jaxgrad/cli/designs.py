"""What the commands share that read a design space: its file, and tables of designs, in files and on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.cli import kinds
from jaxgrad.cli.options import RESULTS
from jaxgrad.cli.stored import open_store
from jaxgrad.designs import schema
from jaxgrad.designs.schema import Sweep
from jaxgrad.reports.quantities import of_column
from jaxgrad.reports.screen import PlainTable
from jaxgrad.studies import table_files
from jaxgrad.studies.design_sweep import Gathered
from jaxgrad.studies.store import Store

_RESULTS = ("cycles", "dram_bytes", "energy_pj", "area_um2", "edp_js")
_DESIGNS = {"double_buffered": "double\nbuffered", "sram_kib": "SRAM\n[KiB]", "dram_gb_per_s": "DRAM\n[GB/s]"}


class Opened(NamedTuple):
    """A design space, and where its results go.

    Args:
        space: from its TOML file.
        table_file: where the table of its designs goes.
        write: opens it, to write a table there.
        store: where results are kept.
    """

    space: Sweep
    table_file: Path
    write: table_files.Opener
    store: Store


def opened(config: Path, out: Path | None, store: str, suffix: str = "") -> Opened:
    """Reads a design space's file, and checks that its results can be written before anything is computed.

    Args:
        config: the file.
        out: what ``--out`` names; by default ``results/NAME`` and the suffix.
        store: what ``--store`` names.
        suffix: of the default table's name, before ``.csv``.

    Raises:
        InputError: the file is not valid, or a place can't be written to.
    """
    kinds.check(config, "CONFIG", kinds.DESIGN_SPACE)
    space = schema.load(config)
    table_file = RESULTS / f"{config.stem}{suffix}.csv" if out is None else out
    return Opened(space, table_file, table_files.opener(table_file), open_store(store))


def on_screen(
    title: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]], results: Sequence[str] = _RESULTS
) -> PlainTable:
    """Designs, a line each.

    Args:
        title: of the table.
        names: of what tells the designs apart, the first columns; names that are not known are headers as they are.
        rows: the designs, by name: these and their results.
        results: the results to show, where the designs have them.
    """
    table = PlainTable(title)
    results = [name for name in results if rows and name in rows[0]]
    for name in names:
        table.add_column(_DESIGNS.get(name, name), justify="right", names=True)
    shown = {name: of_column(name, [row[name] for row in rows]) for name in results}
    for quantity in shown.values():
        table.add_column(quantity.label.replace(" ", "\n", 1), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *(str(row[name]) for name in names), *(quantity.written(row[name]) for name, quantity in shown.items())
        )
    return table


def parameter_text(name: str, value: Any) -> str:
    """What a design is called by one of its parameters."""
    return ("double-buffered" if value else "serial") if name == "double_buffered" else str(value)


def page(table_file: Path, space: Sweep, found: Sequence[Gathered], files: Sequence[Path]) -> list[Path]:
    """Writes the page of a table of designs beside it; without its extra, says what that is and writes nothing.

    Args:
        table_file: of all designs.
        space: they are of.
        found: what is kept of them, by network and batch; nothing of a search that looked at none.
        files: written before, of which it links to the tables.
    """
    from jaxgrad.cli import screen
    from jaxgrad.reports.interactive import chart
    from jaxgrad.studies import design_page

    if not chart.is_installed():
        said = "For a page to look around in all designs: pip install 'jaxgrad[interactive]'"
        screen.console().print(said, markup=False, soft_wrap=True)
        return []
    if not found:
        return []
    data = [file for file in files if file.suffix in (".csv", ".parquet")]
    shown, objectives = design_page.shown(found), found[0].objectives
    return design_page.write(
        table_file.with_suffix(".html"), space.title, shown, objectives, space.machine.clock_ghz, data
    )
