"""``jaxgrad train``: from options to a run directory."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import jaxgrad_models
from jaxgrad.base.errors import InputError
from jaxgrad.cli.errors import CHECK_FAILED, flag
from jaxgrad.cli.interrupts import resumable
from jaxgrad.cli.options import (
    ARRAY,
    COLS,
    DECAY,
    DOUBLE_BUFFERED,
    FIDELITY,
    FORWARD,
    FRACTION,
    LEARNING,
    MODEL,
    OBJECTIVE,
    RATE,
    ROWS,
    RUN,
    SEED,
    SIZE,
    WEIGHT_UPDATE,
    Choice,
    file,
    given,
    option,
    path,
)
from jaxgrad.training import defaults

if TYPE_CHECKING:
    from jaxgrad.training import runs
    from jaxgrad.training.config import Config, Override
    from jaxgrad.training.job import Job
    from jaxgrad.training.step import State

# The parameters that set a key of the configuration.
_KEYS = {
    "model": "model.name",
    "data": "data.name",
    "folder": "data.folder",
    "batch_size": "data.batch_size",
    "rows": "array.rows",
    "cols": "array.cols",
    "double_buffered": "array.double_buffered",
    "schedule": "emulation.schedule",
    "fidelity": "emulation.fidelity",
    "forward": "emulation.forward",
    "weight_update": "emulation.weight_update",
    "objective": "emulation.objective",
    "precision": "emulation.precision",
    "optimizer": "optimizer.name",
    "learning_rate": "optimizer.learning_rate",
    "momentum": "optimizer.momentum",
    "weight_decay": "optimizer.weight_decay",
    "decay": "optimizer.decay",
    "epochs": "train.epochs",
    "seed": "train.seed",
    "checkpoint_every": "train.checkpoint_every",
}
# Fields that only the data and the model can judge: what these call them, the key, the option.
_JUDGED_LATER = (("data folder", "data.folder", "--folder"), ("batch_size", "data.batch_size", "--batch-size"))


def _data() -> Sequence[str]:
    from jaxgrad.training.data import NAMES

    return NAMES


def _schedules() -> Sequence[str]:
    from jaxgrad.array.schedules import TRAINING_SCHEDULES

    return TRAINING_SCHEDULES


def _precisions() -> Sequence[str]:
    from jaxgrad.training.config import PRECISIONS

    return PRECISIONS


def _optimizers() -> Sequence[str]:
    from jaxgrad.training.optimizers import NAMES

    return NAMES


def _decays() -> Sequence[str]:
    from jaxgrad.training.optimizers import DECAYS

    return DECAYS


def _on_nan() -> Sequence[str]:
    from jaxgrad.training.divergence import ON_NAN

    return ON_NAN


def train(
    context: typer.Context,
    model: Annotated[
        str,
        option("--model", "NAME", "mlp, lenet or resnet20.", MODEL, rule=Choice(lambda: tuple(jaxgrad_models.MODELS))),
    ] = defaults.MODEL,
    data: Annotated[
        str, option("--data", "NAME", "digits, mnist or cifar10.", MODEL, rule=Choice(_data))
    ] = defaults.DATA,
    folder: Annotated[
        Path | None, option("--folder", "DIR", "Where the files of mnist or cifar10 are.", MODEL, rule=path)
    ] = None,
    batch_size: Annotated[int, option("--batch-size", "N", "Images a step.", MODEL, rule=SIZE)] = defaults.BATCH_SIZE,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    schedule: Annotated[
        str,
        option(
            "--schedule",
            "NAME",
            "Backward pass: interleaved, sequential, ws_only, os_only or auto.",
            ARRAY,
            rule=Choice(_schedules),
        ),
    ] = defaults.SCHEDULE,
    fidelity: Annotated[str, FIDELITY] = defaults.FIDELITY,
    forward: Annotated[str, FORWARD] = defaults.FORWARD,
    weight_update: Annotated[str, WEIGHT_UPDATE] = defaults.WEIGHT_UPDATE,
    objective: Annotated[str, OBJECTIVE] = defaults.OBJECTIVE,
    precision: Annotated[
        str,
        option(
            "--precision",
            "NAME",
            "What operands are rounded to, sums staying in fp32: own (as they are), fp32, bf16 or fp16.",
            ARRAY,
            rule=Choice(_precisions),
        ),
    ] = defaults.PRECISION,
    optimizer: Annotated[
        str,
        option(
            "--optimizer", "NAME", "sgd, momentum, adam, adamw or rmsprop (optax).", LEARNING, rule=Choice(_optimizers)
        ),
    ] = defaults.OPTIMIZER,
    learning_rate: Annotated[
        float | None,
        option(
            "--learning-rate",
            "RATE",
            "Of the first step.",
            LEARNING,
            rule=RATE,
            default="the optimizer's own, 0.003 for adam",
        ),
    ] = None,
    momentum: Annotated[
        float | None, option("--momentum", "FRACTION", "Of momentum.", LEARNING, rule=FRACTION, default="0.9")
    ] = None,
    weight_decay: Annotated[
        float | None,
        option(
            "--weight-decay",
            "RATE",
            "Of sgd, momentum and adamw.",
            LEARNING,
            rule=DECAY,
            default="the optimizer's",
        ),
    ] = None,
    decay: Annotated[
        str,
        option("--decay", "NAME", "Learning rate over time: cosine or constant.", LEARNING, rule=Choice(_decays)),
    ] = defaults.DECAY,
    epochs: Annotated[
        int, option("--epochs", "N", "Passes over the training images.", LEARNING, rule=SIZE)
    ] = defaults.EPOCHS,
    seed: Annotated[
        int, option("--seed", "N", "Of weights and of the order of images.", LEARNING, rule=SEED)
    ] = defaults.SEED,
    out: Annotated[
        Path | None,
        option(
            "--out",
            "DIR",
            "The run directory, new or empty.",
            RUN,
            rule=path,
            default="runs/MODEL-DATA-SCHEDULE-NUMBER",
        ),
    ] = None,
    resume: Annotated[
        str | None, option("--resume", "DIR", "Go on with the run in DIR, killed at whatever moment.", RUN)
    ] = None,
    config: Annotated[
        Path | None, option("--config", "FILE", "A TOML file, such as a run's config.toml.", RUN, rule=file)
    ] = None,
    set_: Annotated[
        list[str] | None, option("--set", "KEY=VALUE", "Set a key of it, such as array.rows=8; repeatable.", RUN)
    ] = None,
    checkpoint_every: Annotated[
        int, option("--checkpoint-every", "N", "Steps between checkpoints.", RUN, rule=SIZE)
    ] = defaults.CHECKPOINT_EVERY,
    on_nan: Annotated[
        str,
        option("--on-nan", "NAME", "When a loss is NaN or infinite: stop or continue.", RUN, rule=Choice(_on_nan)),
    ] = defaults.ON_NAN,
) -> int:
    """Train a network with every matrix product of it on the array; with no options, a LeNet on digits in a minute."""
    from jaxgrad.cli import cache, screen
    from jaxgrad.training import runs
    from jaxgrad.training.config import resolve
    from jaxgrad.training.divergence import Diverged
    from jaxgrad.training.job import prepare

    cache.turn_on()
    overrides = [*map(_set, set_ or ()), *_overrides(context.params, given(context))]
    existing = None if resume is None else _existing(out, resume)
    if existing is None:
        wanted = resolve(config, overrides)
        if out is not None:
            runs.check_vacant(out)
    else:
        wanted = resolve(existing.folder / runs.CONFIG)
        _refuse_changes(wanted, config, overrides, existing)
    with ExitStack() as kept_out:
        if existing:
            kept_out.enter_context(existing.alone())
        try:
            with screen.console().status("loading the data and tracing the model"):
                job = prepare(wanted)
        except InputError as error:
            sources = {override.key: override.source for override in overrides}
            names = {field: sources.get(key, key if config else option) for field, key, option in _JUDGED_LATER}
            raise error.renamed(names[error.field]) if error.field in names else error from None
        run = existing or _created(out, wanted)
        if not existing:
            kept_out.enter_context(run.alone())
        again = f"jaxgrad train --resume {run.folder}"
        try:
            with resumable(f"go on with: {again}"):
                state = _train(job, run, on_nan)
        except Diverged as stop:
            _report(job, run, stop.state)
            remedy = f"lower --learning-rate, or go on with: {again} --on-nan continue"
            print(f"error: {stop}; what was done is kept: {remedy}", file=sys.stderr)
            return CHECK_FAILED
        _report(job, run, state)
    return 0


def _overrides(params: Mapping[str, Any], typed: Collection[str]) -> list[Override]:
    """What the options that were typed set."""
    from jaxgrad.training.config import Override

    return [
        Override(key, str(value) if isinstance(value, Path) else value, _flag(name, value))
        for name, key in _KEYS.items()
        if name in typed and (value := params[name]) is not None
    ]


def _flag(name: str, value: Any) -> str:
    """The option as the user typed it."""
    return "--single-buffered" if value is False else flag(name)


def _set(text: str) -> Override:
    from jaxgrad.training.config import Override

    key, equals, value = text.partition("=")
    if not equals:
        raise InputError("--set", text, "give KEY=VALUE, such as array.rows=8")
    return Override.of_text(key.strip(), value.strip(), f"--set {key.strip()}")


def _created(out: Path | None, config: Config) -> runs.Run:
    from jaxgrad.training import runs

    if out is not None:
        return runs.create(out, config.to_toml())
    name = f"{config.model.name}-{config.data.name}-{config.emulation.schedule}"
    return runs.create_numbered(Path("runs"), name, config.to_toml())


def _existing(out: Path | None, resume: str) -> runs.Run:
    """The run to go on with: that in ``resume`` or, where it is empty, in ``out``."""
    from jaxgrad.training import runs

    folder = Path(resume) if resume else out
    if folder is None:
        raise InputError("--resume", None, "give the run directory to go on with", problem="got no folder")
    if resume and out is not None and folder.resolve() != out.resolve():
        raise InputError("--out", out, f"a run goes on where it is, in {resume!r}: leave --out away")
    return runs.reopen(folder)


def _refuse_changes(config: Config, file: Path | None, overrides: Sequence[Override], run: runs.Run) -> None:
    """A run goes on as it began; options that say so again are welcome."""
    from jaxgrad.training.config import differences, resolve

    wanted = resolve(file, overrides, base=config if file is None else None)
    for key, now, then in differences(wanted, config):
        source = next((override.source for override in reversed(overrides) if override.key == key), key)
        remedy = f"the run in {run.folder} began with {key} = {then!r}: leave it so, or start a new run with --out"
        raise InputError(source, now, remedy)


def _train(job: Job, run: runs.Run, on_nan: str) -> State:
    from jaxgrad.cli import screen
    from jaxgrad.cli.epochs import follow
    from jaxgrad.cli.progress import tell_pace
    from jaxgrad.training import loop
    from jaxgrad.training.checkpoints import Checkpoints

    out = screen.console()
    per_epoch = job.plan.steps_per_epoch(job.dataset)
    with Checkpoints(run.checkpoints, job.config.settings()) as checkpoints:
        state = loop.resume(job.trainer, run, checkpoints)
        done = int(state.step)
        start = f", from step {done:,} on" if done else ""
        out.print(
            f"Training {job.title}: {job.config.emulation.schedule}, {job.config.emulation.fidelity} fidelity, "
            f"{_counted(job.plan.epochs, 'epoch')} of {_counted(per_epoch, 'step')}{start}",
            soft_wrap=True,
        )
        out.print(f"Run directory: {run.folder}", soft_wrap=True)
        if job.emulation.fidelity == "register":
            tell_pace(job.register_seconds(done))
        training = loop.fit(job.trainer, state, job.dataset, job.plan, run, checkpoints, on_nan=on_nan)
        for now in follow(training, out, done=done, steps=per_epoch * job.plan.epochs, epochs=job.plan.epochs):
            state = now.state
    return state


def _report(job: Job, run: runs.Run, state: State) -> None:
    """Writes what the run cost into its directory, and prints it."""
    from jaxgrad import costs
    from jaxgrad.cli import screen
    from jaxgrad.reports import figures, schedules
    from jaxgrad.training import runs

    out = screen.console()
    schedule, array = job.config.emulation.schedule, job.emulation.array
    compared = (schedule, *(name for name in costs.BASELINES if name != schedule))
    one_step = costs.step_cost(job.layers, job.emulation, compared)
    cost = costs.measured(one_step, schedule, state.counters, int(state.step))
    records = run.metrics()
    with out.status("drawing"):
        run.write_json(runs.COUNTERS, {"schedule": schedule, "array": asdict(array), **cost.as_dict()})
        schedules.write_tables(run.folder / "tables.txt", cost, schedule, array, measured=True)
        schedules.draw(run.folder, cost, f"{job.title}, {cost.steps:,} steps")
        if records:
            figures.training_curve(records, run.folder / "training.png", f"{job.title}, {schedule}")
    out.print()
    out.print(schedules.report(cost, schedule, array, measured=True))
    files = sorted(each.name for each in run.folder.iterdir() if each.is_file())
    if records:
        accuracy = f"{records[-1]['test_accuracy']:.1%} after {_counted(len(records), 'epoch')}"
        out.print(f"\nTest accuracy {accuracy}.", soft_wrap=True)
    out.print(f"In {run.folder}: {', '.join(files)}", soft_wrap=True)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
