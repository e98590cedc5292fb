"""``jaxgrad sweep``: a design space, from its TOML file to its table and fronts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from jaxgrad.cli import stored
from jaxgrad.cli.cluster import CLUSTER, RETRIES, TRIES_AGAIN
from jaxgrad.cli.options import IN_SOURCES, config_file, table_out
from jaxgrad.cli.output_options import NO_TITLE, STYLE, WIDTH, figure_style, typed_style
from jaxgrad.cli.stored import CHECK, KEPT, STORE

if TYPE_CHECKING:
    from rich.table import Table as Screen

    from jaxgrad.studies.design_sweep import Gathered

_SHOWN = 12  # designs of a front on the screen


def sweep(
    config: Annotated[Path, config_file(f"A TOML file, as those in experiments/sweeps {IN_SOURCES}.")],
    out: Annotated[
        Path | None,
        table_out("The table of all points, .csv or .parquet; the front goes beside it.", "results/NAME.csv"),
    ] = None,
    store: Annotated[str, STORE] = KEPT,
    cluster: Annotated[str | None, CLUSTER] = None,
    retries: Annotated[int, RETRIES] = TRIES_AGAIN,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
    check: Annotated[bool, CHECK] = False,
) -> int:
    """Cost a whole design space, exactly: every array, memory, schedule and precision, and the Pareto front."""
    from jaxgrad.cli import cache, designs, progress, screen
    from jaxgrad.cli.cluster import executor, following, typed
    from jaxgrad.reports import tabular
    from jaxgrad.reports.screen import headed
    from jaxgrad.studies import design_figures, design_sweep, table_files

    cache.turn_on()
    space, table_file, write, results = designs.opened(config, out, store)
    terminal = screen.console()
    if check:
        count = len(design_sweep.chunks(space, config))
        terminal.print(f"{config}: {space.title}. {space.points:,} points in {count} chunks", soft_wrap=True)
        return 0
    with progress.busy("tracing the networks", terminal):
        work = design_sweep.SweepWork(space, config, results)
    options = {**typed(cluster, retries), **typed_style(style, width, no_title)}
    with (
        stored.resuming(stored.again("sweep", config, out, store, **options)),
        executor(cluster, retries) as workers,
        write() as put,
    ):
        tables = work.results(workers, following)
        found = design_sweep.gathered(design_sweep.passed_on(tables, put), space.pareto.objectives)
    terminal.print(headed(space.title, f": {space.points:,} points"))
    files = [table_file]
    told_apart = design_sweep.told_apart(found)
    with progress.busy("writing", terminal):
        for each in found:
            name = f"{table_file.stem}_{each.network}_batch{each.batch}"
            front_file = table_files.write(table_file.with_name(f"{name}_front.csv"), each.front)
            figure, looks = front_file.with_suffix(""), figure_style(style, width, no_title)
            shown = _front(each, told_apart)
            files += [front_file, *design_figures.front(figure, each, style=looks)]
            files += tabular.write(figure, shown, ("md", "tex"))
            terminal.print(shown)
            if (on_front := len(each.front["rows"])) > _SHOWN:
                terminal.print(f"{_SHOWN} of {on_front} designs on the front; all are in {name}_front.csv")
        files += designs.page(table_file, space, found, files)
    terminal.print(f"\nIn {table_file.parent}: {', '.join(file.name for file in files)}", soft_wrap=True)
    return 0


def _front(found: Gathered, told_apart: Sequence[str]) -> Screen:
    """The first designs of a front, or as many evenly spread over it."""
    from jaxgrad.cli import designs

    count = len(found.front["rows"])
    rows = range(count) if count <= _SHOWN else [index * (count - 1) // (_SHOWN - 1) for index in range(_SHOWN)]
    shown = [{name: values[row] for name, values in found.front.items()} for row in rows]
    title = f"{found.network}, batch {found.batch}: Pareto front of {', '.join(found.objectives)}"
    return designs.on_screen(title, told_apart, shown)
