"""The run that ``jaxgrad train`` makes or goes on with: its folder, its epochs, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgrad.base.errors import InputError

if TYPE_CHECKING:
    from jaxgrad.reports.style import FigureStyle
    from jaxgrad.training import runs
    from jaxgrad.training.config import Config
    from jaxgrad.training.job import Job
    from jaxgrad.training.step import State


def created(out: Path | None, config: Config) -> runs.Run:
    """A new run, in ``out`` or in a numbered folder."""
    from jaxgrad.networks.names import short
    from jaxgrad.training import data, runs, shared

    if out is not None:
        return shared.made(lambda: runs.create(out, config.to_toml()))
    name = f"{short(config.model.name)}-{data.short(config.data.name)}-{config.emulation.schedule}"
    return shared.made(lambda: runs.create_numbered(Path("runs"), name, config.to_toml()))


def place(out: Path | None, resume: str) -> Path:
    """The folder of ``--resume`` or, where that is empty, of ``--out``.

    Raises:
        InputError: there is neither, or they are not the same.
    """
    folder = Path(resume) if resume else out
    if folder is None:
        raise InputError("--resume", None, "give the run directory to go on with", problem="got no folder")
    if resume and out is not None and folder.resolve() != out.resolve():
        raise InputError("--out", out, f"a run goes on where it is, in {resume!r}: leave --out away")
    return folder


def existing(folder: Path) -> runs.Run | None:
    """The run to go on with; None where a new one can begin, in a folder that is missing or empty.

    Raises:
        InputError: it is no folder, or can't be made, or has something else in it.
    """
    from jaxgrad.base.files import check_folder
    from jaxgrad.training import runs, shared

    def reopened() -> runs.Run | None:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            check_folder("--resume", folder)
            return None
        return runs.reopen(folder)

    return shared.found(reopened)


def train(job: Job, run: runs.Run, on_nan: str, logs: Sequence[str]) -> State:
    """Trains to the last epoch, showing how it goes.

    Args:
        job: what to train.
        run: where.
        on_nan: see ``loop.fit``.
        logs: names of those that follow it.
    """
    from jaxgrad.cli import diagnosis, progress, screen
    from jaxgrad.cli.epochs import delays, follow
    from jaxgrad.training import devices, extension, loop, processes, runs
    from jaxgrad.training.checkpoints import Checkpoints
    from jaxgrad.training.config import resolve
    from jaxgrad.training.logs import following
    from jaxgrad.training.shared import SharedCheckpoints

    out = screen.console()
    per_epoch = job.plan.steps_per_epoch(job.dataset)
    keep = diagnosis.keep(job)
    if (layout := job.layout) is None:
        kept = Checkpoints(run.checkpoints, job.config.settings(), keep)
    else:
        kept = SharedCheckpoints(run.checkpoints, job.config.settings(), layout, keep)
    with kept as checkpoints:
        state = loop.resume(job.trainer, run, checkpoints)
        done = int(state.step)
        settings = checkpoints.settings_of(done) if done else job.config.settings()
        extended = extension.record(run, done, settings, job.plan.epochs)
        if resolve(run.folder / runs.CONFIG) != job.config:
            run.write_config(job.config.to_toml())
        (run.folder / runs.STOPPED).unlink(missing_ok=True)
        start = f", from step {done:,} on" if done else ""
        out.print(
            f"Training {job.title}: {job.config.emulation.schedule}, {job.config.emulation.fidelity} fidelity, "
            f"{_plural(job.plan.epochs, 'epoch')} of {_plural(per_epoch, 'step')}{start}",
            soft_wrap=True,
        )
        if extended:
            more = f"{_plural(extended.epochs, 'epoch')} to {job.plan.epochs:,}"
            out.print(
                f"Extended from {more}: the learning rate is from here on that of a run of {job.plan.epochs:,}",
                soft_wrap=True,
            )
        if note := devices.note(layout, job.config):
            out.print(note, soft_wrap=True)
        if job.pipeline:
            out.print(delays(job.pipeline), soft_wrap=True)
        out.print(f"Run directory: {run.folder}", soft_wrap=True)
        if job.emulation.fidelity == "register":
            progress.tell_pace(job.register_seconds(done))
        training = loop.fit(
            job.trainer, state, job.dataset, job.plan, run, checkpoints, on_nan=on_nan, place=devices.placing(layout)
        )
        training = diagnosis.measured(training, state, job, run)
        told = logs if processes.is_writer() else ()
        training = following.follow(training, told, run, job.config.settings(), run.metrics())
        for now in follow(training, out, done=done, steps=per_epoch * job.plan.epochs, epochs=job.plan.epochs):
            state = now.state
    return state


def report(job: Job, run: runs.Run, state: State, style: FigureStyle) -> None:
    """Writes what the run cost into its directory, and prints it, in the one process that does."""
    from jaxgrad import costs
    from jaxgrad.cli import diagnosis, progress, screen
    from jaxgrad.reports import figures, schedules
    from jaxgrad.reports.numbers import fixed, percent
    from jaxgrad.training import machines, processes, runs
    from jaxgrad.training.job import compared

    records = run.metrics()
    if not processes.is_writer():
        return
    out = screen.console()
    schedule, array = job.config.emulation.schedule, job.emulation.array
    settings = {"estimator": job.estimator, "masks": job.masks}
    one_step = costs.step_cost(job.layers, job.emulation, compared(job.config), **settings)
    cost = costs.measured(one_step, schedule, state.counters, int(state.step))
    on_machine = job.on_machine and costs.repeated(job.on_machine, state.counters, int(state.step))
    with progress.busy("drawing", out):
        pipeline = {"pipeline": job.pipeline} if job.pipeline else {}
        estimator = {"estimator": {"name": "exact", **job.config.estimator.model_dump(exclude_none=True)}}
        few = job.config.quantization.model_dump(exclude_none=True)
        bits = {"quantization": few} if few else {}
        told = {"schedule": schedule, "array": asdict(array), **estimator, **bits, **pipeline, **cost.as_dict()}
        run.write_json(runs.COUNTERS, told | machines.told(job.config.machine, on_machine))
        shown = {"measured": True, "on_machine": on_machine}
        schedules.write_tables(run.folder / "tables", cost, schedule, array, **shown)
        schedules.draw(run.folder, cost, f"{job.title}, {cost.steps:,} steps", array, style=style)
        if records:
            figures.training_curve(records, run.folder / "training", f"{job.title}, {schedule}", style=style)
    out.print()
    out.print(schedules.report(cost, schedule, array, **shown))
    diagnosis.tell_run(job, run, style)
    files = sorted(path.name for path in run.folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if records:
        accuracy = f"{percent(records[-1]['test_accuracy'], 1, 1)} after {_plural(len(records), 'epoch')}"
        patience = job.plan.patience
        stopped = patience.verdict(records, job.plan.epochs) if patience else ""
        out.print(f"\nTest accuracy {accuracy}. {stopped}".rstrip(), soft_wrap=True)
        if (least := job.dataset.least_loss) is not None and (loss := records[-1]["test_loss"]) is not None:
            best = f"the best prediction there is has {fixed(least, 4)}"
            out.print(f"Test loss {fixed(loss, 4)}; {best}.", soft_wrap=True)
    out.print(f"In {run.folder}: {', '.join(files)}", soft_wrap=True)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
