"""What the commands share that read a design space: its file, and tables of designs, in files and on the screen."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import check_folder, whole, write_text
from jaxgrad.cli import kinds
from jaxgrad.cli.options import RESULTS
from jaxgrad.cli.stored import open_store
from jaxgrad.designs import schema
from jaxgrad.designs.schema import Sweep
from jaxgrad.designs.sweep import Table
from jaxgrad.reports.quantities import of_column
from jaxgrad.reports.screen import PlainTable
from jaxgrad.studies.store import Store

_RESULTS = ("cycles", "dram_bytes", "energy_pj", "area_um2", "edp_js")
_DESIGNS = {"double_buffered": "double\nbuffered", "sram_kib": "SRAM\n[KiB]", "dram_gb_per_s": "DRAM\n[GB/s]"}


class Opened(NamedTuple):
    """A design space, and where its results go.

    Args:
        space: from its TOML file.
        table_file: where the table of its designs goes.
        write: writes a table there.
        store: where results are kept.
    """

    space: Sweep
    table_file: Path
    write: Callable[[Path, Table], None]
    store: Store


def opened(config: Path, out: Path | None, store: Path, suffix: str = "") -> Opened:
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
    return Opened(space, table_file, writer(table_file), open_store(store))


def as_csv(table: Table) -> str:
    """A table as CSV; None is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table)
    writer.writerows(zip(*(("" if v is None else v for v in values) for values in table.values()), strict=True))
    return out.getvalue()


def writer(path: Path) -> Callable[[Path, Table], None]:
    """What writes a table to a file of that name.

    Raises:
        InputError: neither CSV nor Parquet, or what Parquet needs is not installed, or its folder can't be written to.
    """
    if path.is_dir():
        raise InputError("--out", path, "give a file, there is a folder of that name")
    check_folder("--out", path.parent)
    if path.suffix == ".csv":

        def write_csv(path: Path, table: Table) -> None:
            write_text(path, as_csv(table))

        return write_csv
    if path.suffix != ".parquet":
        raise InputError("--out", path, "give a file that ends in .csv or .parquet")
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise InputError("--out", path, "give .csv, or pip install 'jaxgrad[parquet]' first") from None

    def write_parquet(path: Path, table: Table) -> None:
        with whole(path) as partial:
            parquet.write_table(pyarrow.table(table), partial)

    return write_parquet


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


def page(table_file: Path, space: Sweep, table: Table, objectives: Sequence[str], files: Sequence[Path]) -> list[Path]:
    """Writes the page of a table of designs beside it; without its extra, says what that is and writes nothing.

    Args:
        table_file: of all designs.
        space: they are of.
        table: all designs.
        objectives: of the front, any twice.
        files: written before, of which it links to the tables.
    """
    from jaxgrad.cli import screen
    from jaxgrad.reports.interactive import chart
    from jaxgrad.studies import design_page

    if not chart.is_installed():
        said = "For a page to look around in all designs: pip install 'jaxgrad[interactive]'"
        screen.console().print(said, markup=False, soft_wrap=True)
        return []
    objectives = list(dict.fromkeys(objectives))
    data = [file for file in files if file.suffix in (".csv", ".parquet")]
    shown = design_page.shown(table, objectives)
    return design_page.write(
        table_file.with_suffix(".html"), space.title, shown, objectives, space.machine.clock_ghz, data
    )
