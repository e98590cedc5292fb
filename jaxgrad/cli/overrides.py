"""What the options of ``jaxgrad train`` change in its configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgrad.base.errors import InputError
from jaxgrad.cli.errors import flag

if TYPE_CHECKING:
    from jaxgrad.training.config import Config, Override
    from jaxgrad.training.runs import Run

# parameter of the command -> the key of the configuration that it sets
_KEYS = {
    "model": "model.name",
    "hidden": "model.hidden",
    "batch_norm": "model.batch_norm",
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
    "pipeline": "pipeline.name",
    "processors": "pipeline.processors",
    "weights": "pipeline.weights",
    "beta": "pipeline.beta",
    "time": "pipeline.time",
    "estimator": "estimator.name",
    "keep": "estimator.keep",
    "mode": "estimator.mode",
    "weights_bits": "quantization.weights_bits",
    "activations_bits": "quantization.activations_bits",
    "blend": "quantization.blend",
    "init": "train.init",
    "augment": "data.augment",
    "warmup": "optimizer.warmup",
    "end_rate": "optimizer.end_rate",
    "decay_factor": "optimizer.decay_factor",
    "decay_at": "optimizer.decay_at",
    "weight_decay_mask": "optimizer.weight_decay_mask",
    "clip_norm": "optimizer.clip_norm",
    "label_smoothing": "train.label_smoothing",
    "patience": "train.patience",
    "patience_for": "train.patience_for",
    "mixed_precision": "train.mixed_precision",
    "diagnostics": "diagnostics.every",
    "diagnostics_sample": "diagnostics.sample",
    "keep_checkpoints": "train.keep_checkpoints",
    "devices": "devices.count",
    "shard_parameters": "devices.shard_parameters",
    "window": "data.window",
    "label_noise": "data.label_noise",
}


def of_options(params: Mapping[str, Any], typed: Collection[str], settings: Sequence[str]) -> list[Override]:
    """What a command line sets: every ``--set KEY=VALUE``, then the other options, which so have the last word.

    Args:
        params: the command's parameters and their values.
        typed: those that the user typed; the others leave the configuration's defaults alone.
        settings: the texts of ``--set``.

    Raises:
        InputError: a text is not ``KEY=VALUE``.
    """
    from jaxgrad.training.config import Override

    options = [
        Override(key, str(value) if isinstance(value, Path) else value, _flag(name, value))
        for name, key in _KEYS.items()
        if name in typed and (value := params[name]) is not None
    ]
    return [*map(_setting, settings), *options]


def _flag(name: str, value: Any) -> str:
    """The option as the user typed it."""
    return "--single-buffered" if value is False else flag(name)


def _setting(text: str) -> Override:
    from jaxgrad.training.config import Override

    key, equals, value = text.partition("=")
    if not equals:
        raise InputError("--set", text, "give KEY=VALUE, such as array.rows=8")
    return Override.of_text(key.strip(), value.strip(), f"--set {key.strip()}")


def going_on(config: Config, file: Path | None, overrides: Sequence[Override], run: Run) -> Config:
    """The configuration that a run goes on by: its own, or that of more epochs, on the devices asked for now.

    Options that repeat its own are taken, so that the command line which began it can be used again.

    Args:
        config: the run's.
        file: what ``--config`` names.
        overrides: from the command line.
        run: the run to continue.

    Raises:
        InputError: ``file`` or ``overrides`` set another key otherwise, or fewer epochs.
    """
    from jaxgrad.training.config import differences, resolve
    from jaxgrad.training.extension import EPOCHS, extends

    requested = resolve(file, overrides, base=config if file is None else None)
    for key, now, then in differences(requested, config):
        if extends(key, now, then) or key.startswith("devices."):
            continue
        source = next((each.source for each in reversed(overrides) if f"{key}.".startswith(f"{each.key}.")), key)
        if key == EPOCHS:
            done = f"{len(run.metrics())} of {then} epochs done"
            remedy = f"the run in {run.folder} has {done}: give more than {then} to extend it, or leave it so"
        else:
            remedy = f"the run in {run.folder} began with {key} = {then!r}: leave it so, or start a new run with --out"
        raise InputError(source, now, remedy)
    return requested
