"""``jaxgrad sweep``: a design space, from its TOML file to its table and fronts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.cli import stored
from jaxgrad.cli.options import IN_SOURCES, OUTPUT, config_file, option, table_out
from jaxgrad.cli.output_options import NO_TITLE, STYLE, WIDTH, figure_style, typed_style
from jaxgrad.cli.stored import CHECK, KEPT, STORE

if TYPE_CHECKING:
    from rich.table import Table as Screen

    from jaxgrad.designs.sweep import Table
    from jaxgrad.studies import design_sweep

_SHOWN = 12  # designs of a front on the screen


class Shard(NamedTuple):
    """A part of a sweep: every ``of``-th chunk from the ``number``-th on, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parsed(cls, name: str, value: Any) -> Shard:
        """A rule: ``2/3``."""
        try:
            number, of = (int(part) for part in value.split("/"))
        except ValueError:
            number, of = 0, 0
        if not 1 <= number <= of:
            raise InputError(name, value, "give I/N with I from 1 to N, such as 2/3")
        return cls(number, of)


def sweep(
    config: Annotated[Path, config_file(f"A TOML file, as those in experiments/sweeps {IN_SOURCES}.")],
    out: Annotated[
        Path | None,
        table_out("The table of all points, .csv or .parquet; the front goes beside it.", "results/NAME.csv"),
    ] = None,
    store: Annotated[Path, STORE] = KEPT,
    shard: Annotated[
        Shard | None,
        option(
            "--shard",
            "I/N",
            "Compute every N-th chunk from the I-th on, and no table; without it, merge.",
            OUTPUT,
            rule=Shard.parsed,
        ),
    ] = None,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
    check: Annotated[bool, CHECK] = False,
) -> int:
    """Cost a whole design space, exactly: every array, memory, schedule and precision, and the Pareto front."""
    from jaxgrad.base.files import write_text
    from jaxgrad.cli import cache, designs, progress, screen
    from jaxgrad.reports import tabular
    from jaxgrad.reports.screen import headed
    from jaxgrad.studies import design_figures, design_sweep

    cache.turn_on()
    space, table_file, write, results = designs.opened(config, out, store)
    terminal = screen.console()
    if check:
        count = len(design_sweep.chunks(space, config))
        terminal.print(f"{config}: {space.title}. {space.points:,} points in {count} chunks", soft_wrap=True)
        return 0
    with progress.busy("tracing the networks", terminal):
        work = design_sweep.SweepWork(space, config, results)
    drawn = typed_style(style, width, no_title)
    numbers = range(len(work.parts)) if shard is None else range(shard.number - 1, len(work.parts), shard.of)
    with stored.resuming(stored.again("sweep", config, out, store, shard=shard, **drawn)):
        tables = compute(work, [work.parts[number] for number in numbers])
    if shard is not None:
        left = sum(not work.is_done(chunk) for chunk in work.parts)
        merging = stored.again("sweep", config, out, store, **drawn)
        rest = f"{left} of {len(work.parts)} are left" if left else f"none is left: {merging} merges them"
        terminal.print(f"{len(numbers)} chunks are done; {rest}", soft_wrap=True)
        return 0
    table = design_sweep.merged(tables)
    terminal.print(headed(space.title, f": {space.points:,} points"))
    files = [table_file]
    with progress.busy("writing", terminal):
        write(table_file, table)
        for network, batch, rows in design_sweep.fronts(table, space.pareto.objectives):
            name = f"{table_file.stem}_{network}_batch{batch}"
            front_file = table_file.with_name(f"{name}_front.csv")
            write_text(front_file, designs.as_csv({key: [values[i] for i in rows] for key, values in table.items()}))
            figure = front_file.with_suffix("")
            looks = figure_style(style, width, no_title)
            objectives = space.pareto.objectives
            files += [front_file, *design_figures.front(figure, table, rows, network, batch, objectives, style=looks)]
            shown = _front(table, rows, network, batch, objectives)
            files += tabular.write(figure, shown, ("md", "tex"))
            terminal.print(shown)
            if len(rows) > _SHOWN:
                terminal.print(f"{_SHOWN} of {len(rows)} designs on the front; all are in {name}_front.csv")
        files += designs.page(table_file, space, table, space.pareto.objectives, files)
    terminal.print(f"\nIn {table_file.parent}: {', '.join(file.name for file in files)}", soft_wrap=True)
    return 0


def compute(work: design_sweep.SweepWork, chunks: Sequence[Any]) -> list[Table]:
    """The chunks' tables."""
    from jaxgrad.cli import progress, screen

    followed = progress.follow(
        chunks,
        screen.console(),
        total=sum(chunk.points for chunk in chunks),
        label=lambda chunk: f"{chunk.network}, batch {chunk.batch}, {chunk.precision}",
        size=lambda chunk: chunk.points,
        kept=work.is_done,
    )
    return [work.compute(chunk) for chunk in followed]


def _front(table: Table, rows: Sequence[int], network: str, batch: int, objectives: Sequence[str]) -> Screen:
    """The first designs of a front, or as many evenly spread over it."""
    from jaxgrad.cli import designs
    from jaxgrad.designs.sweep import RESULTS

    shown = rows if len(rows) <= _SHOWN else [rows[index * (len(rows) - 1) // (_SHOWN - 1)] for index in range(_SHOWN)]
    fixed = (*RESULTS, "network", "batch")
    names = [name for name in table if name not in fixed and len(set(table[name])) > 1]
    title = f"{network}, batch {batch}: Pareto front of {', '.join(objectives)}"
    return designs.on_screen(title, names, [{name: table[name][row] for name in table} for row in shown])
