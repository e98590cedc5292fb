"""``jaxgrad sweep``: a design space, from its TOML file to its table and fronts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Screen

from jaxgrad.base.files import check_folder, write_text
from jaxgrad.cli import cache, designs, screen
from jaxgrad.cli.errors import bad_input, typed
from jaxgrad.designs import schema
from jaxgrad.designs.sweep import RESULTS, Table
from jaxgrad.reports import plots
from jaxgrad.studies import design_sweep
from jaxgrad.studies.store import Store

_RESULTS = Path("results")
_SHOWN = 12  # designs of a front on the screen
_DRAWN = 3000  # points of a figure, besides the front


def run(config: str, *, out: str | None, store: str | None, shard: str | None, check: bool) -> int:
    """Costs what is not known yet; without ``shard``, merges all chunks into one table and prints the fronts."""
    cache.turn_on()
    file = Path(config)
    with bad_input({"store": "--store"}):
        sweep = schema.load(file)
        path = Path(out) if out is not None else _RESULTS / f"{file.stem}.csv"
        write = designs.writer(path)
        kept = Store(check_folder("--store", store if store is not None else _RESULTS / "store"))
        if check:
            own = design_sweep.chunks(sweep)
        else:
            with screen.console().status("tracing the networks"):
                work = design_sweep.Work(sweep, file, kept)
            own = work.chunks
        numbers = design_sweep.shard(len(own), shard)
    terminal = screen.console()
    if check:
        terminal.print(f"{file}: {sweep.title}. {sweep.points:,} points in {len(own)} chunks", soft_wrap=True)
        return 0
    try:
        tables = compute(work, [own[number] for number in numbers])
    except KeyboardInterrupt:
        again = typed("sweep", config, out=out, store=store, shard=shard)
        raise KeyboardInterrupt(f"what is done is kept; go on with: {again}") from None
    if shard is not None:
        left = sum(not work.is_done(chunk) for chunk in own)
        merging = typed("sweep", config, out=out, store=store)
        rest = f"{left} of {len(own)} are left" if left else f"none is left: {merging} merges them"
        terminal.print(f"{len(numbers)} chunks are done; {rest}", soft_wrap=True)
        return 0
    table = design_sweep.merged(tables)
    terminal.print(f"[bold]{sweep.title}[/bold]: {sweep.points:,} points")
    files = [path]
    with bad_input(), terminal.status("writing"):
        write(path, table)
        for network, batch, rows in design_sweep.fronts(table, sweep.pareto.objectives):
            name = f"{path.stem}_{network}_batch{batch}"
            own_front = path.with_name(f"{name}_front.csv")
            write_text(own_front, designs.as_csv({key: [values[i] for i in rows] for key, values in table.items()}))
            files += [own_front, *_draw(own_front.with_suffix(""), table, rows, network, batch)]
            terminal.print(_front(table, rows, network, batch, sweep.pareto.objectives))
            if len(rows) > _SHOWN:
                terminal.print(f"{_SHOWN} of {len(rows)} designs on the front; all are in {name}_front.csv")
    terminal.print(f"\nIn {path.parent}: {', '.join(each.name for each in files)}", soft_wrap=True)
    return 0


def compute(work: design_sweep.Work, chunks: Sequence[Any]) -> list[Table]:
    """The chunks' tables, with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tables = []
    with Progress(*columns, console=screen.console(), transient=True) as bar:
        task = bar.add_task("points", total=sum(chunk.points for chunk in chunks))
        for chunk in chunks:
            bar.update(task, description=f"{chunk.network}, batch {chunk.batch}, {chunk.precision}")
            with bad_input({"store": "--store"}):
                tables.append(work.compute(chunk))
            bar.advance(task, chunk.points)
    return tables


def _front(table: Table, rows: Sequence[int], network: str, batch: int, objectives: Sequence[str]) -> Screen:
    """The first designs of a front, or as many evenly spread over it."""
    shown = rows if len(rows) <= _SHOWN else [rows[index * (len(rows) - 1) // (_SHOWN - 1)] for index in range(_SHOWN)]
    fixed = (*RESULTS, "network", "batch")
    names = [name for name in table if name not in fixed and len(set(table[name])) > 1]
    title = f"{network}, batch {batch}: Pareto front of {', '.join(objectives)}"
    return designs.on_screen(title, names, [{name: table[name][row] for name in table} for row in shown])


def _draw(path: Path, table: Table, rows: Sequence[int], network: str, batch: int) -> list[Path]:
    """Area against cycles: the front, and as many other points as a figure can show."""
    if "area_um2" not in table:
        return []
    own = [i for i in range(len(table["network"])) if (table["network"][i], table["batch"][i]) == (network, batch)]
    own = [i for i in own if table["cycles"][i] is not None and table["area_um2"][i] is not None]
    some = sorted({*own[:: max(1, len(own) // _DRAWN)], *(i for i in rows if table["area_um2"][i] is not None)})
    points = [
        plots.Point(
            f"{table['rows'][i]}x{table['cols'][i]} {table['schedule'][i]}"
            + (f", {table['sram_kib'][i]} KiB" if "sram_kib" in table else ""),
            table["area_um2"][i] / 1e6,
            table["cycles"][i],
        )
        for i in some
    ]
    if not points:
        return []
    title = f"{network}, batch {batch}: area and cycles ({len(points):,} of {len(own):,} points)"
    return plots.pareto(points, path, title)
