"""The options of ``jaxgrad train``."""

from __future__ import annotations

from typing import Annotated

from jaxgrad.cli.errors import command, flag
from jaxgrad.cli.options import (
    ARRAY,
    LEARNING,
    MODEL,
    RUN,
    Buffered,
    Cols,
    Data,
    Fidelity,
    Forward,
    Model,
    Objective,
    PrecisionOption,
    Rows,
    Text,
    WeightUpdate,
    option,
)

# The options of `train` that set a key of the configuration.
KEYS = {
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


@command
def train(
    model: Model = None,
    data: Data = None,
    folder: Annotated[Text, option("--folder", "DIR", "Where the files of mnist or cifar10 are.", MODEL)] = None,
    batch_size: Annotated[Text, option("--batch-size", "N", "Images a step (default: 32).", MODEL)] = None,
    rows: Rows = None,
    cols: Cols = None,
    double_buffered: Buffered = None,
    schedule: Annotated[
        Text,
        option(
            "--schedule",
            "NAME",
            "Backward pass: interleaved, sequential, ws_only, os_only or auto (default: interleaved).",
            ARRAY,
        ),
    ] = None,
    fidelity: Fidelity = None,
    forward: Forward = None,
    weight_update: WeightUpdate = None,
    objective: Objective = None,
    precision: PrecisionOption = None,
    optimizer: Annotated[
        Text,
        option("--optimizer", "NAME", "sgd, momentum, adam, adamw or rmsprop (optax) (default: adam).", LEARNING),
    ] = None,
    learning_rate: Annotated[
        Text,
        option(
            "--learning-rate", "RATE", "Of the first step (default: the optimizer's own, 0.003 for adam).", LEARNING
        ),
    ] = None,
    momentum: Annotated[Text, option("--momentum", "FRACTION", "Of momentum (default: 0.9).", LEARNING)] = None,
    weight_decay: Annotated[
        Text, option("--weight-decay", "RATE", "Of sgd, momentum and adamw (default: the optimizer's).", LEARNING)
    ] = None,
    decay: Annotated[
        Text, option("--decay", "NAME", "Learning rate over time: cosine or constant (default: cosine).", LEARNING)
    ] = None,
    epochs: Annotated[Text, option("--epochs", "N", "Passes over the training images (default: 20).", LEARNING)] = None,
    seed: Annotated[
        Text, option("--seed", "N", "Of weights and of the order of images (default: 0).", LEARNING)
    ] = None,
    out: Annotated[
        Text,
        option("--out", "DIR", "The run directory, new or empty (default: runs/MODEL-DATA-SCHEDULE-NUMBER).", RUN),
    ] = None,
    resume: Annotated[
        Text, option("--resume", "DIR", "Go on with the run in DIR, killed at whatever moment.", RUN)
    ] = None,
    config: Annotated[Text, option("--config", "FILE", "A TOML file, such as a run's config.toml.", RUN)] = None,
    set_: Annotated[
        list[str] | None, option("--set", "KEY=VALUE", "Set a key of it, such as array.rows=8; repeatable.", RUN)
    ] = None,
    checkpoint_every: Annotated[
        Text, option("--checkpoint-every", "N", "Steps between checkpoints (default: 200).", RUN)
    ] = None,
) -> int:
    """Train a network with every matrix product of it on the array; with no options, a LeNet on digits in a minute."""
    options = {name: value for name, value in locals().items() if value is not None}
    from jaxgrad.cli.train import run

    flags = [(KEYS[name], _flag(name, value), _text(value)) for name, value in options.items() if name in KEYS]
    return run(flags, sets=set_ or [], file=config, out=out, resume=resume)


def _flag(name: str, value: str | bool) -> str:
    """The option as the user typed it."""
    return "--single-buffered" if value is False else flag(name)


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value
