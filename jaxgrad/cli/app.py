"""The commands and their options. Values stay text here, to be checked where the rules for them are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import jaxgrad
from jaxgrad.cli.errors import command, flag

COMMANDS = ("train", "gemm", "compare")
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
    "optimizer": "optimizer.name",
    "learning_rate": "optimizer.learning_rate",
    "momentum": "optimizer.momentum",
    "weight_decay": "optimizer.weight_decay",
    "decay": "optimizer.decay",
    "epochs": "train.epochs",
    "seed": "train.seed",
    "checkpoint_every": "train.checkpoint_every",
}

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Systolic arrays for training, emulated in JAX: train a network on one and read what it cost.",
)

Text = str | None
_MODEL, _ARRAY, _LEARNING, _RUN = "Model and data", "Array", "Learning", "Run"


def _option(flags: str, metavar: str | None, text: str, panel: str = "Options") -> Any:
    return typer.Option(flags, metavar=metavar, help=text, rich_help_panel=panel, show_default=False)


_Model = Annotated[Text, _option("--model", "NAME", "mlp, lenet or resnet20 (default: lenet).", _MODEL)]
_Data = Annotated[Text, _option("--data", "NAME", "digits, mnist or cifar10 (default: digits).", _MODEL)]
_Rows = Annotated[Text, _option("--rows", "N", "Height of the array, in PEs (default: 16).", _ARRAY)]
_Cols = Annotated[Text, _option("--cols", "N", "Width of the array, in PEs (default: 16).", _ARRAY)]
_Buffered = Annotated[
    bool | None,
    _option(
        "--double-buffered/--single-buffered",
        None,
        "Whether PEs have shadow registers, to load and drain meanwhile (default: single-buffered).",
        _ARRAY,
    ),
]
_Fidelity = Annotated[
    Text,
    _option(
        "--fidelity",
        "NAME",
        "native (XLA's matmul, counts in closed form), tile (the array's order of sums) or "
        "register (every clock cycle; small sizes only) (default: native).",
        _ARRAY,
    ),
]
_Forward = Annotated[Text, _option("--forward", "NAME", "Forward dataflow: ws, os or is (default: ws).", _ARRAY)]
_WeightUpdate = Annotated[
    Text,
    _option(
        "--weight-update",
        "NAME",
        "Count the update of the weights: none, separate, or in_array (interleaved "
        "with plain sgd alone) (default: none).",
        _ARRAY,
    ),
]
_Objective = Annotated[
    Text, _option("--objective", "NAME", "What auto minimises: cycles or accesses (default: cycles).", _ARRAY)
]
_Json = Annotated[bool, _option("--json", None, "Print one JSON object and nothing else.", "Output")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"jaxgrad {jaxgrad.__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
@command
def train(
    model: _Model = None,
    data: _Data = None,
    folder: Annotated[Text, _option("--folder", "DIR", "Where the files of mnist or cifar10 are.", _MODEL)] = None,
    batch_size: Annotated[Text, _option("--batch-size", "N", "Images a step (default: 32).", _MODEL)] = None,
    rows: _Rows = None,
    cols: _Cols = None,
    double_buffered: _Buffered = None,
    schedule: Annotated[
        Text,
        _option(
            "--schedule",
            "NAME",
            "Backward pass: interleaved, sequential, ws_only, os_only or auto (default: interleaved).",
            _ARRAY,
        ),
    ] = None,
    fidelity: _Fidelity = None,
    forward: _Forward = None,
    weight_update: _WeightUpdate = None,
    objective: _Objective = None,
    optimizer: Annotated[
        Text,
        _option("--optimizer", "NAME", "sgd, momentum, adam, adamw or rmsprop (optax) (default: adam).", _LEARNING),
    ] = None,
    learning_rate: Annotated[
        Text,
        _option(
            "--learning-rate", "RATE", "Of the first step (default: the optimizer's own, 0.003 for adam).", _LEARNING
        ),
    ] = None,
    momentum: Annotated[Text, _option("--momentum", "FRACTION", "Of momentum (default: 0.9).", _LEARNING)] = None,
    weight_decay: Annotated[
        Text, _option("--weight-decay", "RATE", "Of sgd, momentum and adamw (default: the optimizer's).", _LEARNING)
    ] = None,
    decay: Annotated[
        Text, _option("--decay", "NAME", "Learning rate over time: cosine or constant (default: cosine).", _LEARNING)
    ] = None,
    epochs: Annotated[
        Text, _option("--epochs", "N", "Passes over the training images (default: 20).", _LEARNING)
    ] = None,
    seed: Annotated[
        Text, _option("--seed", "N", "Of weights and of the order of images (default: 0).", _LEARNING)
    ] = None,
    out: Annotated[
        Text,
        _option("--out", "DIR", "The run directory, new or empty (default: runs/MODEL-DATA-SCHEDULE-NUMBER).", _RUN),
    ] = None,
    resume: Annotated[
        Text, _option("--resume", "DIR", "Go on with the run in DIR, killed at whatever moment.", _RUN)
    ] = None,
    config: Annotated[Text, _option("--config", "FILE", "A TOML file, such as a run's config.toml.", _RUN)] = None,
    set_: Annotated[
        list[str] | None, _option("--set", "KEY=VALUE", "Set a key of it, such as array.rows=8; repeatable.", _RUN)
    ] = None,
    checkpoint_every: Annotated[
        Text, _option("--checkpoint-every", "N", "Steps between checkpoints (default: 200).", _RUN)
    ] = None,
) -> int:
    """Train a network with every matrix product of it on the array; with no options, a LeNet on digits in a minute."""
    options = {name: value for name, value in locals().items() if value is not None}
    from jaxgrad.cli.train import run

    flags = [(KEYS[name], _flag(name, value), _text(value)) for name, value in options.items() if name in KEYS]
    return run(flags, sets=set_ or [], file=config, out=out, resume=resume)


@app.command()
@command
def gemm(
    batch: Annotated[Text, _option("--batch", "N", "Rows of X and dY (default: 32).", "GEMM")] = "32",
    in_features: Annotated[
        Text, _option("--in-features", "N", "Columns of X, rows of W (default: 64).", "GEMM")
    ] = "64",
    out_features: Annotated[Text, _option("--out-features", "N", "Columns of W and dY (default: 48).", "GEMM")] = "48",
    seed: Annotated[Text, _option("--seed", "N", "Of the data (default: 0).", "GEMM")] = "0",
    rows: _Rows = "16",
    cols: _Cols = "16",
    double_buffered: _Buffered = False,
    schedule: Annotated[
        Text,
        _option(
            "--schedule",
            "NAME",
            "interleaved, sequential, ws_only, os_only or auto; ws (dX alone) or os (dW alone) (default: interleaved).",
            _ARRAY,
        ),
    ] = "interleaved",
    fidelity: _Fidelity = "native",
    weight_update: _WeightUpdate = "none",
    objective: _Objective = "cycles",
    as_json: _Json = False,
) -> int:
    """Run the backward pass of one GEMM on the array: its counters, and its gradients against a plain matmul."""
    options = dict(locals())
    from jaxgrad.cli.gemm import run

    return run(**options)


@app.command()
@command
def compare(
    model: Annotated[
        str,
        _option(
            "--model", "NAME", "As in train, or a paper's: resnet50, vgg16, densenet264, ... (default: lenet).", _MODEL
        ),
    ] = "lenet",
    data: Annotated[
        Text,
        _option(
            "--data", "NAME", "Images of digits, mnist or cifar10 (default: digits; for a paper's, its own).", _MODEL
        ),
    ] = None,
    input_shape: Annotated[
        Text, _option("--input-shape", "HxWxC", "Instead of --data: the size of an image, as 32x32x3.", _MODEL)
    ] = None,
    classes: Annotated[
        Text, _option("--classes", "N", "Outputs of the network (default: 10, or 1000 from 128 pixels up).", _MODEL)
    ] = None,
    batch: Annotated[Text, _option("--batch", "N", "Images a step (default: 32).", _MODEL)] = "32",
    rows: _Rows = "16",
    cols: _Cols = "16",
    double_buffered: _Buffered = False,
    forward: _Forward = "ws",
    weight_update: _WeightUpdate = "none",
    objective: _Objective = "cycles",
    out: Annotated[
        Text,
        _option("--out", "DIR", "Where the figures go, new or empty (default: runs/compare-MODEL-NUMBER).", "Output"),
    ] = None,
    as_json: _Json = False,
) -> int:
    """Put the schedules side by side for one training step of a model, from shapes alone."""
    options = dict(locals())
    from jaxgrad.cli.compare import run

    return run(**options)


def _flag(name: str, value: str | bool) -> str:
    """The option as the user typed it."""
    return "--single-buffered" if value is False else flag(name)


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value
