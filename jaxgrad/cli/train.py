"""``jaxgrad train``: from options to a run directory."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli import overrides, training_run
from jaxgrad.cli.diagnostics_options import DIAGNOSTICS, KEEP_CHECKPOINTS, SAMPLE
from jaxgrad.cli.errors import CHECK_FAILED, typed
from jaxgrad.cli.interrupts import resumable
from jaxgrad.cli.learning_options import (
    CLIP_NORM,
    DECAY_AT,
    DECAY_FACTOR,
    END_RATE,
    LABEL_SMOOTHING,
    MIXED_PRECISION,
    PATIENCE,
    PATIENCE_FOR,
    WARMUP,
    WEIGHT_DECAY_MASK,
)
from jaxgrad.cli.machine import of_run
from jaxgrad.cli.options import Widths, given
from jaxgrad.cli.output_options import NO_TITLE, STYLE, WIDTH, figure_style, typed_style
from jaxgrad.cli.shared_options import (
    ACTIVATIONS_BITS,
    ARRAY_OBJECTIVE,
    AUGMENT,
    BETA,
    BLENDED,
    COLS,
    COORDINATOR,
    DEVICES,
    DOUBLE_BUFFERED,
    ESTIMATOR,
    FIDELITY,
    FORWARD,
    INIT,
    KEEP,
    LABEL_NOISE,
    LOG,
    MACHINE,
    MODE,
    PIPELINE_TIME,
    PROCESS_ID,
    PROCESSES,
    PROCESSORS,
    ROWS,
    SHARD_PARAMETERS,
    TRAINING_PIPELINE,
    TRAINING_SCHEDULE,
    WEIGHT_UPDATE,
    WEIGHTS,
    WEIGHTS_BITS,
    WINDOW,
)
from jaxgrad.cli.training_options import (
    BATCH_NORM,
    BATCH_SIZE,
    CHECKPOINT_EVERY,
    CONFIG,
    DATA,
    DECAY_NAME,
    EPOCHS,
    FOLDER,
    HIDDEN,
    LEARNING_RATE,
    MODEL_NAME,
    MOMENTUM,
    ON_NAN,
    OPTIMIZER,
    OUT,
    PRECISION,
    RESUME,
    SEED_OF_RUN,
    SET,
    WEIGHT_DECAY,
)
from jaxgrad.training import defaults

# Fields checked only against the data and the model: their name in that error, the key, the option.
_JUDGED_LATER = (
    ("model.name", "model.name", "--model"),
    ("data folder", "data.folder", "--folder"),
    ("batch_size", "data.batch_size", "--batch-size"),
    ("processors", "pipeline.processors", "--processors"),
    ("weight_update", "emulation.weight_update", "--weight-update"),
    ("init", "train.init", "--init"),
    ("warmup", "optimizer.warmup", "--warmup"),
    ("decay_at", "optimizer.decay_at", "--decay-at"),
    ("weight_decay_mask", "optimizer.weight_decay_mask", "--weight-decay-mask"),
    ("devices", "devices.count", "--devices"),
    ("window", "data.window", "--window"),
)


def train(
    context: typer.Context,
    model: Annotated[str, MODEL_NAME] = defaults.MODEL,
    hidden: Annotated[Widths | None, HIDDEN] = None,
    batch_norm: Annotated[bool, BATCH_NORM] = False,
    data: Annotated[str, DATA] = defaults.DATA,
    folder: Annotated[Path | None, FOLDER] = None,
    window: Annotated[int | None, WINDOW] = None,
    label_noise: Annotated[float | None, LABEL_NOISE] = None,
    batch_size: Annotated[int, BATCH_SIZE] = defaults.BATCH_SIZE,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    machine: Annotated[Path | None, MACHINE] = None,
    schedule: Annotated[str, TRAINING_SCHEDULE] = defaults.SCHEDULE,
    fidelity: Annotated[str, FIDELITY] = defaults.FIDELITY,
    forward: Annotated[str, FORWARD] = defaults.FORWARD,
    weight_update: Annotated[str, WEIGHT_UPDATE] = defaults.WEIGHT_UPDATE,
    objective: Annotated[str, ARRAY_OBJECTIVE] = defaults.OBJECTIVE,
    precision: Annotated[str, PRECISION] = defaults.PRECISION,
    optimizer: Annotated[str, OPTIMIZER] = defaults.OPTIMIZER,
    learning_rate: Annotated[float | None, LEARNING_RATE] = None,
    momentum: Annotated[float | None, MOMENTUM] = None,
    weight_decay: Annotated[float | None, WEIGHT_DECAY] = None,
    decay: Annotated[str, DECAY_NAME] = defaults.DECAY,
    warmup: Annotated[str | None, WARMUP] = None,
    end_rate: Annotated[float | None, END_RATE] = None,
    decay_factor: Annotated[float | None, DECAY_FACTOR] = None,
    decay_at: Annotated[str | None, DECAY_AT] = None,
    weight_decay_mask: Annotated[str | None, WEIGHT_DECAY_MASK] = None,
    clip_norm: Annotated[float | None, CLIP_NORM] = None,
    label_smoothing: Annotated[float | None, LABEL_SMOOTHING] = None,
    patience: Annotated[int | None, PATIENCE] = None,
    patience_for: Annotated[str | None, PATIENCE_FOR] = None,
    mixed_precision: Annotated[str | None, MIXED_PRECISION] = None,
    epochs: Annotated[int, EPOCHS] = defaults.EPOCHS,
    seed: Annotated[int, SEED_OF_RUN] = defaults.SEED,
    estimator: Annotated[str | None, ESTIMATOR] = None,
    keep: Annotated[float | None, KEEP] = None,
    mode: Annotated[str | None, MODE] = None,
    weights_bits: Annotated[int | None, WEIGHTS_BITS] = None,
    activations_bits: Annotated[int | None, ACTIVATIONS_BITS] = None,
    blend: Annotated[float | None, BLENDED] = None,
    init: Annotated[Path | None, INIT] = None,
    augment: Annotated[str | None, AUGMENT] = None,
    pipeline: Annotated[str | None, TRAINING_PIPELINE] = None,
    processors: Annotated[int | None, PROCESSORS] = None,
    weights: Annotated[str | None, WEIGHTS] = None,
    beta: Annotated[str | None, BETA] = None,
    time: Annotated[str | None, PIPELINE_TIME] = None,
    out: Annotated[Path | None, OUT] = None,
    resume: Annotated[str | None, RESUME] = None,
    config: Annotated[Path | None, CONFIG] = None,
    set_: Annotated[list[str] | None, SET] = None,
    checkpoint_every: Annotated[int, CHECKPOINT_EVERY] = defaults.CHECKPOINT_EVERY,
    on_nan: Annotated[str, ON_NAN] = defaults.ON_NAN,
    log: Annotated[list[str] | None, LOG] = None,
    diagnostics: Annotated[int | None, DIAGNOSTICS] = None,
    diagnostics_sample: Annotated[int | None, SAMPLE] = None,
    keep_checkpoints: Annotated[str | None, KEEP_CHECKPOINTS] = None,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
    devices: Annotated[str | None, DEVICES] = None,
    shard_parameters: Annotated[bool, SHARD_PARAMETERS] = False,
    coordinator: Annotated[str | None, COORDINATOR] = None,
    processes: Annotated[int | None, PROCESSES] = None,
    process_id: Annotated[int | None, PROCESS_ID] = None,
) -> int:
    """Train a network with every matrix product of it on the array; with no options, a LeNet on digits in a minute."""
    from jaxgrad.cli import cache, kinds, progress, screen
    from jaxgrad.cli import processes as several
    from jaxgrad.training import runs
    from jaxgrad.training.config import resolve
    from jaxgrad.training.devices import layout
    from jaxgrad.training.divergence import Diverged
    from jaxgrad.training.job import prepare
    from jaxgrad.training.logs import following
    from jaxgrad.training.processes import by_writer, together

    cache.turn_on()
    looks = figure_style(style, width, no_title)
    several.join(coordinator, processes, process_id)
    logs = following.chosen(log or ())
    changes = overrides.of_options(context.params, given(context), set_ or ()) + of_run(context.params, given(context))
    existing = None
    if resume is not None:
        out = training_run.place(out, resume)
        existing = training_run.existing(out)
    if config is not None:
        kinds.check(config, "--config", kinds.TRAINING)
    if existing is None:
        settings = resolve(config, changes)
        if out is not None:
            together(partial(runs.check_vacant, out))
    else:
        settings = overrides.going_on(resolve(existing.folder / runs.CONFIG), config, changes, existing)
    with ExitStack() as kept_out:
        if existing:
            by_writer(lambda: kept_out.enter_context(existing.alone()))
        try:
            with progress.busy("loading the data and tracing the model", screen.console()):
                job = together(lambda: prepare(settings, layout(settings)))
        except InputError as error:
            sources = {change.key: change.source for change in changes}
            names = {field: sources.get(key, key if config else option) for field, key, option in _JUDGED_LATER}
            raise error.renamed(names[error.field]) if error.field in names else error from None
        if resume is not None and not existing:
            screen.console().print(f"There is no run in {out} yet: a new one begins", soft_wrap=True)
        run = existing or training_run.created(out, settings)
        if not existing:
            by_writer(lambda: kept_out.enter_context(run.alone()))
        again = typed("train", resume=run.folder, log=",".join(logs) or None, **typed_style(style, width, no_title))
        try:
            several.say_if_lost(f"go on with: {again}")
            with resumable(f"go on with: {again}"):
                state = training_run.train(job, run, on_nan, logs)
        except Diverged as stop:
            run.write_json(runs.STOPPED, {"reason": "diverged", "epoch": stop.epoch, "step": stop.step})
            training_run.report(job, run, stop.state, looks)
            remedy = f"lower --learning-rate, or go on with: {again} --on-nan continue"
            by_writer(lambda: print(f"error: {stop}; what was done is kept: {remedy}", file=sys.stderr))
            return CHECK_FAILED
        training_run.report(job, run, state, looks)
    return 0
