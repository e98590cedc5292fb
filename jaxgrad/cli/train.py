"""``jaxgrad train``: from options to a run directory."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices, overrides, training_run
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
from jaxgrad.cli.options import (
    ARRAY,
    DECAY,
    FRACTION,
    LEARNING,
    MODEL,
    RATE,
    RUN,
    SEED,
    SIZE,
    Choice,
    Widths,
    file,
    given,
    option,
    path,
)
from jaxgrad.cli.shared_options import (
    ACTIVATIONS_BITS,
    ARRAY_OBJECTIVE,
    AUGMENT,
    BETA,
    BLENDED,
    COLS,
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
    PROCESSORS,
    ROWS,
    TRAINING_PIPELINE,
    TRAINING_SCHEDULE,
    WEIGHT_UPDATE,
    WEIGHTS,
    WEIGHTS_BITS,
    WINDOW,
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
    ("window", "data.window", "--window"),
)


def train(
    context: typer.Context,
    model: Annotated[
        str,
        option(
            "--model",
            "NAME",
            "mlp, lenet, resnet20, irnn, transformer-lm, or a paper's: resnet50, densenet121, ...; or your own: "
            "FILE.py:NAME, MODULE:NAME, FILE.onnx.",
            MODEL,
            rule=Choice(choices.models, choices.network),
        ),
    ] = defaults.MODEL,
    hidden: Annotated[
        Widths | None,
        option(
            "--hidden",
            "N,N,...",
            "Widths of hidden layers: mlp's, or those your own takes.",
            MODEL,
            rule=Widths.of,
            default="256,128",
        ),
    ] = None,
    batch_norm: Annotated[
        bool, option("--batch-norm", None, "Whether mlp normalises each hidden layer over the batch.", MODEL)
    ] = False,
    data: Annotated[
        str,
        option(
            "--data",
            "NAME",
            "digits, mnist, cifar10, cifar100, fashion-mnist; or FILE.npz, a folder of images by class, FILE.py:NAME; "
            "text or FILE.txt for transformer-lm.",
            MODEL,
            rule=Choice(choices.data_sets, choices.data_source),
        ),
    ] = defaults.DATA,
    folder: Annotated[
        Path | None, option("--folder", "DIR", "Where the files of a named data set are.", MODEL, rule=path)
    ] = None,
    window: Annotated[int | None, WINDOW] = None,
    label_noise: Annotated[float | None, LABEL_NOISE] = None,
    batch_size: Annotated[int, option("--batch-size", "N", "Images a step.", MODEL, rule=SIZE)] = defaults.BATCH_SIZE,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    machine: Annotated[Path | None, MACHINE] = None,
    schedule: Annotated[str, TRAINING_SCHEDULE] = defaults.SCHEDULE,
    fidelity: Annotated[str, FIDELITY] = defaults.FIDELITY,
    forward: Annotated[str, FORWARD] = defaults.FORWARD,
    weight_update: Annotated[str, WEIGHT_UPDATE] = defaults.WEIGHT_UPDATE,
    objective: Annotated[str, ARRAY_OBJECTIVE] = defaults.OBJECTIVE,
    precision: Annotated[
        str,
        option(
            "--precision",
            "NAME",
            "What operands are rounded to, sums staying in fp32: own (as they are), fp32, bf16, fp16 or machine (as "
            "--machine has it).",
            ARRAY,
            rule=Choice(choices.precisions),
            default="own; on a --machine, machine",
        ),
    ] = defaults.PRECISION,
    optimizer: Annotated[
        str,
        option(
            "--optimizer",
            "NAME",
            "sgd, momentum, adam, adamw or rmsprop (optax).",
            LEARNING,
            rule=Choice(choices.optimizers),
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
        option(
            "--decay",
            "NAME",
            "Learning rate over time: cosine, constant, linear, exponential or step.",
            LEARNING,
            rule=Choice(choices.decays),
        ),
    ] = defaults.DECAY,
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
    epochs: Annotated[
        int, option("--epochs", "N", "Passes over the training images.", LEARNING, rule=SIZE)
    ] = defaults.EPOCHS,
    seed: Annotated[
        int, option("--seed", "N", "Of weights and of the order of images.", LEARNING, rule=SEED)
    ] = defaults.SEED,
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
        str | None,
        option(
            "--resume",
            "DIR",
            "Go on with the run in DIR, killed at whatever moment, or begin one there; more --epochs extend it.",
            RUN,
        ),
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
        option(
            "--on-nan", "NAME", "A loss that is NaN or infinite: stop or continue.", RUN, rule=Choice(choices.on_nan)
        ),
    ] = defaults.ON_NAN,
    log: Annotated[list[str] | None, LOG] = None,
    diagnostics: Annotated[int | None, DIAGNOSTICS] = None,
    diagnostics_sample: Annotated[int | None, SAMPLE] = None,
    keep_checkpoints: Annotated[str | None, KEEP_CHECKPOINTS] = None,
) -> int:
    """Train a network with every matrix product of it on the array; with no options, a LeNet on digits in a minute."""
    from jaxgrad.cli import cache, kinds, progress, screen
    from jaxgrad.training import runs
    from jaxgrad.training.config import resolve
    from jaxgrad.training.divergence import Diverged
    from jaxgrad.training.job import prepare
    from jaxgrad.training.logs import following

    cache.turn_on()
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
            runs.check_vacant(out)
    else:
        settings = overrides.going_on(resolve(existing.folder / runs.CONFIG), config, changes, existing)
    with ExitStack() as kept_out:
        if existing:
            kept_out.enter_context(existing.alone())
        try:
            with progress.busy("loading the data and tracing the model", screen.console()):
                job = prepare(settings)
        except InputError as error:
            sources = {change.key: change.source for change in changes}
            names = {field: sources.get(key, key if config else option) for field, key, option in _JUDGED_LATER}
            raise error.renamed(names[error.field]) if error.field in names else error from None
        if resume is not None and not existing:
            screen.console().print(f"There is no run in {out} yet: a new one begins", soft_wrap=True)
        run = existing or training_run.created(out, settings)
        if not existing:
            kept_out.enter_context(run.alone())
        again = typed("train", resume=run.folder, log=",".join(logs) or None)
        try:
            with resumable(f"go on with: {again}"):
                state = training_run.train(job, run, on_nan, logs)
        except Diverged as stop:
            run.write_json(runs.STOPPED, {"reason": "diverged", "epoch": stop.epoch, "step": stop.step})
            training_run.report(job, run, stop.state)
            remedy = f"lower --learning-rate, or go on with: {again} --on-nan continue"
            print(f"error: {stop}; what was done is kept: {remedy}", file=sys.stderr)
            return CHECK_FAILED
        training_run.report(job, run, state)
    return 0
