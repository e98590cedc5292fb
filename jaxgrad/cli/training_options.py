"""Options of ``jaxgrad train`` alone: model and data, optimizer, and the run; by the name of their parameter."""

from __future__ import annotations

from jaxgrad.cli import choices
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
    option,
    path,
)

MODEL_NAME = option(
    "--model",
    "NAME",
    "mlp, lenet, resnet20, irnn, transformer-lm, or a paper's: resnet50, densenet121, ...; or your own: FILE.py:NAME, "
    "MODULE:NAME, FILE.onnx.",
    MODEL,
    rule=Choice(choices.models, choices.network),
)
HIDDEN = option(
    "--hidden",
    "N,N,...",
    "Widths of hidden layers: mlp's, or those your own takes.",
    MODEL,
    rule=Widths.of,
    default="256,128",
)
BATCH_NORM = option("--batch-norm", None, "Whether mlp normalises each hidden layer over the batch.", MODEL)
DATA = option(
    "--data",
    "NAME",
    "digits, mnist, cifar10, cifar100, fashion-mnist; or FILE.npz, a folder of images by class, FILE.py:NAME; text or "
    "FILE.txt for transformer-lm.",
    MODEL,
    rule=Choice(choices.data_sets, choices.data_source),
)
FOLDER = option("--folder", "DIR", "Where the files of a named data set are.", MODEL, rule=path)
BATCH_SIZE = option("--batch-size", "N", "Images a step.", MODEL, rule=SIZE)
PRECISION = option(
    "--precision",
    "NAME",
    "What operands are rounded to, sums staying in fp32: own (as they are), fp32, bf16, fp16 or machine (as --machine "
    "has it).",
    ARRAY,
    rule=Choice(choices.precisions),
    default="own; on a --machine, machine",
)
OPTIMIZER = option(
    "--optimizer", "NAME", "sgd, momentum, adam, adamw or rmsprop (optax).", LEARNING, rule=Choice(choices.optimizers)
)
LEARNING_RATE = option(
    "--learning-rate", "RATE", "Of the first step.", LEARNING, rule=RATE, default="the optimizer's own, 0.003 for adam"
)
MOMENTUM = option("--momentum", "FRACTION", "Of momentum.", LEARNING, rule=FRACTION, default="0.9")
WEIGHT_DECAY = option(
    "--weight-decay", "RATE", "Of sgd, momentum and adamw.", LEARNING, rule=DECAY, default="the optimizer's"
)
DECAY_NAME = option(
    "--decay",
    "NAME",
    "Learning rate over time: cosine, constant, linear, exponential or step.",
    LEARNING,
    rule=Choice(choices.decays),
)
EPOCHS = option("--epochs", "N", "Passes over the training images.", LEARNING, rule=SIZE)
SEED_OF_RUN = option("--seed", "N", "Of weights and of the order of images.", LEARNING, rule=SEED)
OUT = option(
    "--out", "DIR", "The run directory, new or empty.", RUN, rule=path, default="runs/MODEL-DATA-SCHEDULE-NUMBER"
)
RESUME = option(
    "--resume",
    "DIR",
    "Go on with the run in DIR, killed at whatever moment, or begin one there; more --epochs extend it.",
    RUN,
)
CONFIG = option("--config", "FILE", "A TOML file, such as a run's config.toml.", RUN, rule=file)
SET = option("--set", "KEY=VALUE", "Set a key of it, such as array.rows=8; repeatable.", RUN)
CHECKPOINT_EVERY = option("--checkpoint-every", "N", "Steps between checkpoints.", RUN, rule=SIZE)
ON_NAN = option(
    "--on-nan", "NAME", "A loss that is NaN or infinite: stop or continue.", RUN, rule=Choice(choices.on_nan)
)
