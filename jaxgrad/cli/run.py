"""``jaxgrad run``: an experiment, from its TOML file to its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxgrad.base.files import check_folder
from jaxgrad.cli import cache, screen
from jaxgrad.cli.errors import bad_input, typed
from jaxgrad.costs import Summary
from jaxgrad.studies import compare, points, report, runner, schema, tables
from jaxgrad.studies.store import Store

_RESULTS = Path("results")


def run(config: str, *, out: str | None, store: str | None, check: bool) -> int:
    """Computes what is not known yet, prints the tables and writes the report."""
    cache.turn_on()
    file = Path(config)
    with bad_input():
        experiment = schema.load(file)
        wanted = points.expand(experiment, file)
        folder = check_folder("--out", out if out is not None else _RESULTS / file.stem)
        kept = Store(check_folder("--store", store if store is not None else _RESULTS / "store"))
    terminal = screen.console()
    if check:
        done = sum(kept.has("points", point.spec) for point in wanted)
        terminal.print(f"{file}: {experiment.title}. {len(wanted)} points, {done} of them done before", soft_wrap=True)
        return 0
    try:
        found = _compute(wanted, kept)
        rows = compare.rows(experiment, found)
        comparisons = compare.published(experiment, rows)
        terminal.print(tables.screen(experiment, rows, comparisons))
        with bad_input(), terminal.status("drawing"):
            files = report.write(folder, experiment, rows, comparisons)
    except KeyboardInterrupt:
        again = typed("run", config, out=out, store=store)
        raise KeyboardInterrupt(f"what is done is kept; go on with: {again}") from None
    terminal.print(f"\nIn {folder}: {_listed(folder, files)}", soft_wrap=True)
    return 0


def _listed(folder: Path, files: Sequence[Path]) -> str:
    """The report first, then tables; of figures and Accelergy's tables how many."""
    own = [path for path in files if path.parent == folder]
    figures = sum(path.suffix == ".png" for path in own)
    names = [path.name for path in reversed(own) if path.suffix not in (".png", ".svg")]
    inner = len(files) - len(own)
    return ", ".join(names) + f"; {figures} figures as PNG and SVG" + (f"; accelergy/: {inner} tables" if inner else "")


def _compute(wanted: list[points.Point], store: Store) -> list[tuple[points.Point, Summary]]:
    """Every point's summary, with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    found: list[tuple[points.Point, Summary]] = []
    with Progress(*columns, console=screen.console(), transient=True) as bar:
        task = bar.add_task("points", total=len(wanted))
        running = runner.run(wanted, store)
        for point in wanted:
            bar.update(task, description=f"{point.network}, {point.variant}")
            with bad_input({"store": "--store"}):
                _, summary, _ = next(running)
            found.append((point, summary))
            bar.advance(task)
    return found
