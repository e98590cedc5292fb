"""``jaxgrad compare``: the schedules side by side for a model, from shapes alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices
from jaxgrad.cli.machine import machine_of
from jaxgrad.cli.options import MODEL, OUTPUT, RATE, Choice, Shape, given, option, path
from jaxgrad.cli.output_options import FORMAT, NO_TITLE, STYLE, WIDTH, check_one, figure_style, print_tables
from jaxgrad.cli.shared_options import (
    BATCH,
    CLASSES,
    COLS,
    DOUBLE_BUFFERED,
    ESTIMATOR,
    FORWARD,
    JSON,
    KEEP,
    MACHINE,
    MODE,
    OBJECTIVE,
    ROWS,
    WEIGHT_UPDATE,
)
from jaxgrad.training import defaults

if TYPE_CHECKING:
    import jax
    from flax import nnx

    from jaxgrad.array.emulation import Emulation
    from jaxgrad.autodiff.estimators import Estimator
    from jaxgrad.costs import StepCost
    from jaxgrad.hardware import Machine
    from jaxgrad.networks.network import Network

_CHOSEN = "interleaved"
_IMAGENET_FROM = 128  # pixels
_SHAPES = {
    "digits": Shape(8, 8, 1),
    "mnist": Shape(28, 28, 1),
    "cifar10": Shape(32, 32, 3),
    "cifar100": Shape(32, 32, 3),
    "fashion-mnist": Shape(28, 28, 1),
}
_CLASSES = {"cifar100": 100}  # where the shape does not tell


def compare(
    context: typer.Context,
    model: Annotated[
        str,
        option(
            "--model",
            "NAME",
            "As in train: lenet, resnet50, vgg16, ...; or your own: FILE.py:NAME, MODULE:NAME, FILE.onnx.",
            MODEL,
            rule=Choice(choices.models, choices.network),
        ),
    ] = defaults.MODEL,
    data: Annotated[
        str | None,
        option(
            "--data",
            "NAME",
            "Images of digits, mnist, cifar10, cifar100 or fashion-mnist.",
            MODEL,
            rule=Choice(lambda: tuple(_SHAPES)),
            default="digits; for a paper's or your own, its own",
        ),
    ] = None,
    input_shape: Annotated[
        Shape | None,
        option("--input-shape", "HxWxC", "Instead of --data: the size of an image, as 32x32x3.", MODEL, rule=Shape.of),
    ] = None,
    classes: Annotated[int | None, CLASSES] = None,
    batch: Annotated[int, BATCH] = defaults.BATCH_SIZE,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    machine: Annotated[Path | None, MACHINE] = None,
    forward: Annotated[str, FORWARD] = defaults.FORWARD,
    weight_update: Annotated[str, WEIGHT_UPDATE] = defaults.WEIGHT_UPDATE,
    objective: Annotated[str, OBJECTIVE] = defaults.OBJECTIVE,
    estimator: Annotated[str | None, ESTIMATOR] = None,
    keep: Annotated[float | None, KEEP] = None,
    mode: Annotated[str | None, MODE] = None,
    clock_ghz: Annotated[
        float,
        option(
            "--clock-ghz",
            "GHZ",
            "The array's clock, for the times in the ASTRA-sim files, in ns. For Chakra's converter, which takes them "
            "for microseconds, give it times 1000.",
            OUTPUT,
            rule=RATE,
        ),
    ] = 1.0,
    out: Annotated[
        Path | None,
        option(
            "--out",
            "DIR",
            "Where the figures and the ASTRA-sim workloads go, new or empty.",
            OUTPUT,
            rule=path,
            default="runs/compare-MODEL-NUMBER",
        ),
    ] = None,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Put the schedules side by side for one training step of a model, from shapes alone."""
    from jaxgrad.array.emulation import Emulation
    from jaxgrad.base.files import write_text
    from jaxgrad.cli import cache, progress, screen
    from jaxgrad.flax import parameter_words
    from jaxgrad.networks.network import resolve
    from jaxgrad.reports import schedules
    from jaxgrad.training import runs
    from jaxgrad.training.methods import EstimatorSection

    check_one(format_, as_json)
    cache.turn_on()
    network = resolve(model)
    shape, images = images_of(network, data, input_shape)
    outputs = classes or _CLASSES.get(data or "") or classes_of(network, shape)
    hardware = machine_of(machine, rows, cols, double_buffered, given(context))
    array = hardware.array
    choices = {"forward": forward, "weight_update": weight_update, "objective": objective}
    emulation = Emulation(array, _CHOSEN, forward=forward, weight_update=weight_update, objective=objective)
    gradients = EstimatorSection.of(estimator, keep, mode)
    folder = None if out is None else runs.check_vacant(out)
    terminal = screen.console()
    with progress.busy("tracing the model", terminal):
        abstract = network.abstract(input_shape=shape, classes=outputs)
        cost = _cost(abstract, network.batch(batch, shape), emulation, hardware, gradients.built())
    only_data = as_json or format_ is not None
    if folder is None and not only_data:
        folder = runs.vacant(Path("runs"), f"compare-{network.name}")
    if folder:
        runs.create_folder(folder)
    title = f"{network.name}, {batch} {images}, {array.rows}x{array.cols} array{gradients.suffix}"
    config = {"model": model, "input_shape": shape, "classes": outputs, "batch": batch, **asdict(array), **choices}
    config |= {"estimator": {"name": "exact", **gradients.model_dump(exclude_none=True)}}
    data = json.dumps({"config": config, **cost.as_dict()})
    if as_json:
        print(data)
    elif format_:
        print_tables(schedules.report(cost, _CHOSEN, array, measured=False, whole=True), format_)
    else:
        terminal.print(f"{title}: one training step, from shapes alone")
        terminal.print(schedules.report(cost, _CHOSEN, array, measured=False))
    if folder:
        with progress.busy("drawing", terminal):
            write_text(folder / "compare.json", data)
            schedules.write_tables(folder / "tables", cost, _CHOSEN, array, measured=False)
            schedules.draw(folder, cost, title, array, style=figure_style(style, width, no_title))
            _write_astra_sim(folder / "astra-sim", cost, clock_ghz, parameter_words(abstract))
        if not only_data:
            terminal.print(f"\nIn {folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}")
    return 0


def _cost(
    model: nnx.Module, images: jax.ShapeDtypeStruct, emulation: Emulation, machine: Machine, estimator: Estimator
) -> StepCost:
    """One training step; with a vector unit the work beside the array too, the optimizer's (momentum) included."""
    import optax

    from jaxgrad.costs import step_cost
    from jaxgrad.flax import step_gemms_and_masks, step_work

    if machine.vector_unit is None:
        gemms, masks = step_gemms_and_masks(model, images)
        return step_cost(gemms, emulation, machine=machine, masks=masks, estimator=estimator)
    work = step_work(model, images, optimizer=optax.sgd(0.1, momentum=0.9))
    return step_cost(
        work.gemms, emulation, machine=machine, vector_work=work.vector, masks=work.masks, estimator=estimator
    )


def _write_astra_sim(folder: Path, cost: StepCost, clock_ghz: float, parameters: Mapping[str, int]) -> None:
    """A workload file for each schedule."""
    from jaxgrad.base.files import write_text
    from jaxgrad.interop import astrasim

    for schedule in cost.schedules:
        text = astrasim.workload(cost, schedule, clock_ghz=clock_ghz, parameters=parameters)
        write_text(folder / f"{schedule}.txt", text)


def images_of(network: Network, data: str | None, shape: Shape | None) -> tuple[tuple[int, ...], str]:
    """The size of an image, and what such images are called; of a network that reads text, of its windows."""
    from jaxgrad.networks.names import ON_ANY_IMAGES

    if network.reads_text and network.input_shape:
        for option, value in (("--data", data), ("input_shape", shape)):
            if value is not None:
                remedy = f"{network.name} reads text, and is costed on windows of its own size: leave it out"
                raise InputError(option, value, remedy)
        (tokens,) = network.input_shape
        return (tokens,), f"windows of {tokens} tokens"
    if shape is not None:
        if data is not None:
            problem = f"got {str(shape)!r} and --data {data}"
            raise InputError("input_shape", shape, "give one of the two", problem=problem)
        return shape, f"images of {shape}"
    if data is None and network.input_shape is not None and network.reference not in ON_ANY_IMAGES:
        return network.input_shape, f"images of {'x'.join(map(str, network.input_shape))}"
    name = data or defaults.DATA
    return _SHAPES[name], f"images of {name}"


def classes_of(network: Network, shape: Sequence[int]) -> int:
    """What the user's own says, or as many as data sets of such images have: ImageNet's, or ten of the small ones; for
    text a character each."""
    if network.classes is not None and (network.own or network.reads_text):
        return network.classes
    return 1000 if min(shape[:2]) >= _IMAGENET_FROM else 10
