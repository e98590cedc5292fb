"""Diagnostics of a run, as it trains or afterwards: measured, told in words, and drawn."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgrad.base.errors import InputError

if TYPE_CHECKING:
    from jaxgrad.reports.style import FigureStyle
    from jaxgrad.training.job import Job
    from jaxgrad.training.loop import Progress
    from jaxgrad.training.runs import Run
    from jaxgrad.training.step import State

TEXT, FIGURE = "diagnostics.txt", "diagnostics"


def keep(job: Job) -> int | None:
    """How many checkpoints a run keeps; None for all."""
    from jaxgrad.training.checkpoints import KEPT

    wanted = job.config.train.keep_checkpoints
    return None if wanted == "all" else KEPT if wanted is None else int(wanted)


def measured(training: Iterable[Progress], state: State, job: Job, run: Run) -> Iterable[Progress]:
    """Training as it is, or with measurements on the way where the run's configuration asks for them."""
    from jaxgrad.cli import progress, screen
    from jaxgrad.training.diagnostics import Records, meter_of, recorded

    every = job.config.diagnostics.every
    if every is None:
        return training
    console = screen.console()

    def telling(step: int) -> AbstractContextManager[None]:
        return progress.tell_late(f"measuring at step {step:,} (the first time it is compiled)", console)

    return recorded(training, state, meter_of(job), Records(run.folder), every, run.checkpoints, telling)


def tell_run(job: Job, run: Run, style: FigureStyle) -> None:
    """Of a run that measured itself."""
    if job.config.diagnostics.every is not None:
        tell(job, run, run.folder, style)


def tell(job: Job, run: Run, folder: Path, style: FigureStyle) -> None:
    """Writes the verdict and the figure of the measurements in a folder, and prints the verdict.

    Args:
        job, run: of the run.
        folder: where the measurements are.
        style: of the figure.
    """
    from jaxgrad.base.files import write_text
    from jaxgrad.cli import screen
    from jaxgrad.reports.plots.diagnostics import diagnostics
    from jaxgrad.training.diagnostics import Records, afterwards, judge, meter_of, notes, words

    records = Records(folder).lines()
    verdict = judge(records)
    after = None
    if verdict.stopped is not None:
        after = afterwards(verdict.stopped, records, run.metrics(), _joules_a_step(job))
    text = words(verdict, after, notes(job, meter_of(job)))
    write_text(folder / TEXT, text + "\n")
    if records:
        diagnostics(records, folder / FIGURE, job.title, verdict.stopped, style=style)
    screen.console().print(f"\nDiagnostics\n{text}", soft_wrap=True, markup=False, highlight=False)


def _joules_a_step(job: Job) -> float | None:
    """By the prices of the run's machine, the zeros of its data aside; None without prices."""
    if job.on_machine is None:
        return None
    try:
        phases = job.on_machine.energy_pj(job.config.emulation.schedule)
    except InputError:
        return None
    return sum(sum(components.values()) for components in phases.values()) * 1e-12 / job.on_machine.steps
