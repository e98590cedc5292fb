"""``jaxgrad run``: an experiment, from its TOML file to its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from jaxgrad.cli import stored
from jaxgrad.cli.options import OUTPUT, RESULTS, config_file, option, path
from jaxgrad.cli.stored import CHECK, KEPT, STORE

if TYPE_CHECKING:
    from jaxgrad.costs import Summary
    from jaxgrad.studies.points import Point
    from jaxgrad.studies.store import Store


def run(
    config: Annotated[Path, config_file("A TOML file, such as experiments/intergrad.toml.")],
    out: Annotated[
        Path | None,
        option("--out", "DIR", "Where tables, figures and the report go.", OUTPUT, rule=path, default="results/NAME"),
    ] = None,
    store: Annotated[Path, STORE] = KEPT,
    check: Annotated[bool, CHECK] = False,
) -> int:
    """Run an experiment: its points, a table beside the published figures, plots, CSV, JSON and an HTML report."""
    from jaxgrad.base.files import check_folder
    from jaxgrad.base.locks import alone
    from jaxgrad.cli import cache, kinds, progress, screen
    from jaxgrad.studies import compare, points, report, schema, tables

    cache.turn_on()
    kinds.check(config, "CONFIG", kinds.EXPERIMENT)
    experiment = schema.load(config)
    expanded = points.expand(experiment, config)
    folder = check_folder("--out", RESULTS / config.stem if out is None else out)
    results = stored.open_store(store)
    terminal = screen.console()
    if check:
        done = sum(results.has("points", point.spec) for point in expanded)
        terminal.print(
            f"{config}: {experiment.title}. {len(expanded)} points, {done} of them done before", soft_wrap=True
        )
        return 0
    with stored.resuming(stored.again("run", config, out, store)):
        rows = compare.rows(experiment, _compute(expanded, results))
        comparisons = compare.published(experiment, rows)
        terminal.print(tables.screen(experiment, rows, comparisons))
        with progress.busy("drawing", terminal), alone("--out", folder):
            files = report.write(folder, experiment, rows, comparisons)
    terminal.print(f"\nIn {folder}: {_listed(folder, files)}", soft_wrap=True)
    return 0


def _listed(folder: Path, files: Sequence[Path]) -> str:
    """The report first, then tables; of figures and Accelergy's tables how many."""
    top = [file for file in files if file.parent == folder]
    figures = sum(file.suffix == ".png" for file in top)
    names = [file.name for file in reversed(top) if file.suffix not in (".png", ".svg")]
    nested = len(files) - len(top)
    accelergy = f"; accelergy/: {nested} tables" if nested else ""
    return f"{', '.join(names)}; {figures} figures as PNG and SVG{accelergy}"


def _compute(points: Sequence[Point], store: Store) -> list[tuple[Point, Summary]]:
    """Every point's summary."""
    from jaxgrad.cli import progress, screen
    from jaxgrad.studies import runner

    running = runner.run(points, store)
    followed = progress.follow(
        points,
        screen.console(),
        total=len(points),
        label=lambda point: f"{point.network}, {point.variant}",
        kept=lambda point: store.has("points", point.spec),
    )
    return [(point, next(running)[1]) for point in followed]
