"""``jaxgrad diagnose``: the diagnostics of a run afterwards, from its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli.options import OUTPUT, SIZE, option, path
from jaxgrad.cli.output_options import NO_TITLE, STYLE, WIDTH, figure_style

_FOLDER = "diagnosed"


def diagnose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.", show_default=False)],
    sample: Annotated[
        int | None,
        option(
            "--sample", "IMAGES", "Of each measurement, in whole batches.", rule=SIZE, default="the run's, or 4 batches"
        ),
    ] = None,
    out: Annotated[
        Path | None, option("--out", "DIR", "Where the files go.", OUTPUT, rule=path, default=f"RUN/{_FOLDER}")
    ] = None,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
) -> int:
    """Measure a run at each of its checkpoints: gradient, noise, curvature, balance, and where training stopped paying.

    ``jaxgrad train --keep-checkpoints all`` keeps them all; without it there are the last two.
    """
    from jaxgrad.base.files import check_folder
    from jaxgrad.cli import cache, diagnosis, progress, screen
    from jaxgrad.training import runs
    from jaxgrad.training.checkpoints import Checkpoints
    from jaxgrad.training.config import resolve
    from jaxgrad.training.diagnostics import Records, later_means, meter_of
    from jaxgrad.training.job import prepare

    if not (run / runs.CONFIG).is_file():
        raise InputError("RUN", str(run), f"give the folder of a run ({runs.CONFIG} would be in it)")
    folder = check_folder("--out", out or run / _FOLDER)
    existing = runs.reopen(run)
    cache.turn_on()
    console = screen.console()
    with existing.alone():
        with progress.busy("loading the data and tracing the model", console):
            job = prepare(resolve(run / runs.CONFIG))
        meter, records = meter_of(job, sample), Records(folder)
        with Checkpoints(existing.checkpoints, job.config.settings()) as checkpoints:
            steps = checkpoints.steps()
            if not steps:
                raise InputError("RUN", str(run), "there is no whole checkpoint in it: train it first")
            records.cut(0)
            memory, lines = None, []
            followed = progress.follow(
                steps, console, total=len(steps), label=lambda step: f"measuring at step {step:,}"
            )
            for step in followed:
                state = checkpoints.at(step, job.trainer.initial)
                record, memory = meter.measure(state, memory)
                lines.append({**record, "means": later_means([*lines, record])})
                records.append(lines[-1], memory, needed_from=step + 1)
        records.forget()
        diagnosis.tell(job, existing, folder, figure_style(style, width, no_title))
    names = sorted(path.name for path in folder.iterdir() if path.name.startswith("diagnostics."))
    console.print(f"In {folder}: {', '.join(names)}", soft_wrap=True)
    return 0
