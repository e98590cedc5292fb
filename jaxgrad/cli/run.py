"""``jaxgrad run``: an experiment, from its TOML file to its report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from jaxgrad.base.errors import InputError
from jaxgrad.cli import stored
from jaxgrad.cli.cluster import CLUSTER, RETRIES, TRIES_AGAIN
from jaxgrad.cli.options import IN_SOURCES, OUTPUT, RESULTS, config_file, option, path
from jaxgrad.cli.output_options import NO_TITLE, STYLE, WIDTH, figure_style, typed_style
from jaxgrad.cli.stored import CHECK, KEPT, STORE


def run(
    config: Annotated[Path, config_file(f"A TOML file, such as experiments/intergrad.toml {IN_SOURCES}.")],
    out: Annotated[
        Path | None,
        option("--out", "DIR", "Where tables, figures and the report go.", OUTPUT, rule=path, default="results/NAME"),
    ] = None,
    store: Annotated[str, STORE] = KEPT,
    cluster: Annotated[str | None, CLUSTER] = None,
    retries: Annotated[int, RETRIES] = TRIES_AGAIN,
    folder: Annotated[
        Path | None,
        option(
            "--folder",
            "DIR",
            "Of an experiment that trains: where the files of its data are.",
            rule=path,
            default="the file's",
        ),
    ] = None,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
    check: Annotated[bool, CHECK] = False,
) -> int:
    """Run an experiment: its points, a table beside the published figures, plots, CSV, JSON and an HTML report."""
    from jaxgrad.base.files import check_folder
    from jaxgrad.base.locks import alone
    from jaxgrad.cli import cache, kinds, progress, screen
    from jaxgrad.cli.cluster import executor, following, typed
    from jaxgrad.studies import variants
    from jaxgrad.studies.control import study as control
    from jaxgrad.studies.dynamics import study as dynamics
    from jaxgrad.studies.learning import study as learning
    from jaxgrad.studies.memory import study as memory
    from jaxgrad.studies.pipelines import study as pipelines

    cache.turn_on()
    readers = {
        kinds.EXPERIMENT: variants.read,
        kinds.PIPELINES: pipelines.read,
        kinds.LEARNING: partial(learning.read, folder=folder),
        kinds.MEMORY: memory.read,
        kinds.CONTROL: control.read,
        kinds.DYNAMICS: partial(dynamics.read, folder=folder),
    }
    kind = kinds.check(config, "CONFIG", *readers)
    if folder is not None and kind not in (kinds.LEARNING, kinds.DYNAMICS):
        raise InputError("--folder", folder, f"{config} is {kind.name}, and trains on no data: leave it out")
    experiment = readers[kind](config)
    place = check_folder("--out", RESULTS / config.stem if out is None else out)
    results = stored.open_store(store)
    terminal = screen.console()
    if check:
        count, done = len(experiment.points), sum(experiment.is_done(point, results) for point in experiment.points)
        terminal.print(f"{config}: {experiment.title}. {count} points, {done} of them done before", soft_wrap=True)
        return 0
    options = {"folder": folder, **typed(cluster, retries), **typed_style(style, width, no_title)}
    with stored.resuming(stored.again("run", config, out, store, **options)):
        with executor(cluster, retries) as workers:
            points = list(experiment.results(results, workers, following))
        report = experiment.report(points)
        terminal.print(report.screen)
        with progress.busy("drawing", terminal), alone("--out", place):
            files = report.write(place, figure_style(style, width, no_title))
    terminal.print(f"\nIn {place}: {_listed(place, files)}", soft_wrap=True)
    return 0


def _listed(folder: Path, files: Sequence[Path]) -> str:
    """The report first, then tables; of figures and Accelergy's tables how many."""
    top = [file for file in files if file.parent == folder]
    figures = sum(file.suffix == ".png" for file in top)
    names = [file.name for file in reversed(top) if file.suffix not in (".png", ".svg", ".pdf")]
    nested = len(files) - len(top)
    accelergy = f"; accelergy/: {nested} tables" if nested else ""
    return f"{', '.join(names)}; {figures} figure{'' if figures == 1 else 's'} as PNG, SVG and PDF{accelergy}"
