"""``jaxgrad train``: from options to a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jaxgrad import costs as evaluate
from jaxgrad.cli import cache, progress, screen
from jaxgrad.cli.errors import bad_input
from jaxgrad.reports import figures, schedules
from jaxgrad.training import loop, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.config import Config, Override, differences, resolve
from jaxgrad.training.job import Job, prepare
from jaxgrad.training.step import State

# Fields that only the data and the model can judge: what these call them, the key, the option.
_JUDGED_LATER = (("data folder", "data.folder", "--folder"), ("batch_size", "data.batch_size", "--batch-size"))


def run(
    flags: Sequence[tuple[str, str, str]],
    *,
    sets: Sequence[str],
    file: str | None,
    out: str | None,
    resume: str | None,
) -> int:
    """Trains, or goes on training.

    Args:
        flags: (key of the configuration, option, text) of each option given.
        sets: the texts given to ``--set``.
        file: a TOML file.
        out: the run directory.
        resume: the directory of the run to go on with; empty for the one in ``out``.
    """
    cache.turn_on()
    with bad_input():
        overrides = [*map(_set, sets), *(Override.of_text(key, text, flag) for key, flag, text in flags)]
        path = Path(file) if file is not None else None
        existing = _existing(out, resume) if resume is not None else None
        if existing is None:
            config = resolve(path, overrides)
            folder = _vacant(out, config)
        else:
            config = resolve(existing.folder / runs.CONFIG)
            _refuse_changes(config, path, overrides, existing)
            folder = existing.folder
    sources = {override.key: override.source for override in overrides}
    with bad_input({field: sources.get(key, key if path else flag) for field, key, flag in _JUDGED_LATER}):
        with screen.console().status("loading the data and tracing the model"):
            job = prepare(config)
        run = existing or runs.create(folder, config.to_toml())
    try:
        state = _train(job, run)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"go on with: jaxgrad train --resume {run.folder}") from None
    _report(job, run, state)
    return 0


def _set(text: str) -> Override:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set: got {text!r}; give KEY=VALUE, such as array.rows=8")
    return Override.of_text(key.strip(), value.strip(), f"--set {key.strip()}")


def _vacant(out: str | None, config: Config) -> Path:
    if out is None:
        return runs.vacant(Path("runs"), f"{config.model.name}-{config.data.name}-{config.emulation.schedule}")
    return runs.check_vacant(out)


def _existing(out: str | None, resume: str) -> runs.Run:
    folder = resume or out
    if folder is None:
        raise ValueError("--resume: got no folder; give the run directory to go on with")
    if resume and out is not None and Path(resume).resolve() != Path(out).resolve():
        raise ValueError(f"--out: got {out!r}; a run goes on where it is, in {resume!r}: leave --out away")
    return runs.reopen(Path(folder))


def _refuse_changes(config: Config, file: Path | None, overrides: Sequence[Override], run: runs.Run) -> None:
    """A run goes on as it began; options that say so again are welcome."""
    wanted = resolve(file, overrides, base=config if file is None else None)
    for key, now, then in differences(wanted, config):
        source = next((override.source for override in reversed(overrides) if override.key == key), key)
        raise ValueError(
            f"{source}: got {now!r}; the run in {run.folder} began with {key} = {then!r}: leave it so, or "
            f"start a new run with --out"
        )


def _train(job: Job, run: runs.Run) -> State:
    out = screen.console()
    per_epoch = job.plan.steps_per_epoch(job.dataset)
    with Checkpoints(run.checkpoints) as checkpoints:
        with bad_input():
            state = loop.resume(job.trainer, run, checkpoints)
        done = int(state.step)
        start = f", from step {done:,} on" if done else ""
        out.print(
            f"Training {job.title}: {job.config.emulation.schedule}, {job.config.emulation.fidelity} fidelity, "
            f"{_counted(job.plan.epochs, 'epoch')} of {_counted(per_epoch, 'step')}{start}",
            soft_wrap=True,
        )
        out.print(f"Run directory: {run.folder}", soft_wrap=True)
        training = loop.fit(job.trainer, state, job.dataset, job.plan, run, checkpoints)
        for now in progress.follow(training, out, done=done, steps=per_epoch * job.plan.epochs, epochs=job.plan.epochs):
            state = now.state
    return state


def _report(job: Job, run: runs.Run, state: State) -> None:
    """Writes what the run cost into its directory, and prints it."""
    out = screen.console()
    schedule, array = job.config.emulation.schedule, job.emulation.array
    compared = (schedule, *(name for name in evaluate.BASELINES if name != schedule))
    one_step = evaluate.step_cost(job.layers, job.emulation, compared)
    cost = evaluate.measured(one_step, schedule, state.counters, int(state.step))
    records = run.metrics()
    with out.status("drawing"):
        run.write_json(runs.COUNTERS, {"schedule": schedule, "array": asdict(array), **cost.as_dict()})
        schedules.write_tables(run.folder / "tables.txt", cost, schedule, array, measured=True)
        schedules.draw(run.folder, cost, f"{job.title}, {cost.steps:,} steps")
        figures.training_curve(records, run.folder / "training.png", f"{job.title}, {schedule}")
    out.print()
    out.print(schedules.report(cost, schedule, array, measured=True))
    files = sorted(path.name for path in run.folder.iterdir() if path.is_file())
    accuracy = f"{records[-1]['test_accuracy']:.1%} after {_counted(len(records), 'epoch')}"
    out.print(f"\nTest accuracy {accuracy}.", soft_wrap=True)
    out.print(f"In {run.folder}: {', '.join(files)}", soft_wrap=True)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
