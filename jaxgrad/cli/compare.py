"""``jaxgrad compare``: the schedules side by side for a model, from shapes alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import jaxgrad_models
from jaxgrad import costs as evaluate
from jaxgrad.array.emulation import Emulation
from jaxgrad.base.errors import number, one_of, positive_integer
from jaxgrad.base.files import write_text
from jaxgrad.base.literals import parse_text
from jaxgrad.cli import cache, screen
from jaxgrad.cli.errors import bad_input, flag
from jaxgrad.cli.machine import machine_of
from jaxgrad.costs import StepCost
from jaxgrad.flax import step_gemms, step_work, weight_words
from jaxgrad.hardware import Machine
from jaxgrad.interop import astrasim
from jaxgrad.reports import schedules
from jaxgrad.training import data, runs

_CHOSEN = "interleaved"
_IMAGENET_FROM = 128  # pixels
_SHAPES = {"digits": (8, 8, 1), "mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


def run(*, as_json: bool, out: str | None, **options: Any) -> int:
    """Prints the table and draws the figures; with ``as_json`` it draws only if ``out`` says where to."""
    cache.turn_on()
    with bad_input({name: flag(name) for name in options}):
        name = one_of("model", options["model"], (*jaxgrad_models.MODELS, *jaxgrad_models.PAPERS))
        shape, images = _images(name, options["data"], options["input_shape"])
        wanted = _classes(shape) if options["classes"] is None else options["classes"]
        classes = positive_integer("classes", parse_text(wanted, int))
        batch = positive_integer("batch", parse_text(options["batch"], int))
        machine = machine_of(options)
        array = machine.array
        choices = {choice: options[choice] for choice in ("forward", "weight_update", "objective")}
        emulation = Emulation(array, _CHOSEN, **choices)
        folder = runs.check_vacant(out) if out is not None else None
        with screen.console().status("tracing the model"):
            model = jaxgrad_models.abstract(name, input_shape=shape, classes=classes)
            cost = _cost(model, jax.ShapeDtypeStruct((batch, *shape), jnp.float32), emulation, machine)
        clock_ghz = number("clock_ghz", parse_text(options["clock_ghz"], float), above=True)
        if folder is None and not as_json:
            folder = runs.vacant(Path("runs"), f"compare-{name}")
        if folder:
            runs.create_folder(folder)
    title = f"{name}, {batch} {images}, {array.rows}x{array.cols} array"
    terminal = screen.console()
    if as_json:
        config = {"model": name, "input_shape": shape, "classes": classes, "batch": batch, **asdict(array), **choices}
        print(json.dumps({"config": config, **cost.as_dict()}))
    else:
        terminal.print(f"{title}: one training step, from shapes alone")
        terminal.print(schedules.report(cost, _CHOSEN, array, measured=False))
    if folder:
        schedules.write_tables(folder / "tables.txt", cost, _CHOSEN, array, measured=False)
        schedules.draw(folder, cost, title)
        _write_astra_sim(folder / "astra-sim", cost, clock_ghz, weight_words(model))
        if not as_json:
            terminal.print(f"\nIn {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return 0


def _cost(model: nnx.Module, images: jax.ShapeDtypeStruct, emulation: Emulation, machine: Machine) -> StepCost:
    """One training step; with a vector unit the work beside the array too, the optimizer's (momentum) included."""
    if machine.vector_unit is None:
        return evaluate.step_cost(step_gemms(model, images), emulation, machine=machine)
    work = step_work(model, images, optimizer=optax.sgd(0.1, momentum=0.9))
    return evaluate.step_cost(work.gemms, emulation, machine=machine, vector_work=work.vector)


def _write_astra_sim(folder: Path, cost: StepCost, clock_ghz: float, weights: Mapping[str, int]) -> None:
    """A workload file for each schedule."""
    for schedule in cost.schedules:
        text = astrasim.workload(cost, schedule, clock_ghz=clock_ghz, weight_words=weights)
        write_text(folder / f"{schedule}.txt", text)


def _images(model: str, name: str | None, text: str | None) -> tuple[tuple[int, int, int], str]:
    """The size of an image, and what such images are called."""
    if text is None:
        if name is None and model in jaxgrad_models.PAPERS:
            shape = jaxgrad_models.INPUT_SHAPES[model]
            return shape, f"images of {'x'.join(map(str, shape))}"
        name = one_of("data", name or "digits", tuple(_SHAPES))
        return _SHAPES[name], f"images of {name}"
    if name is not None:
        raise ValueError(f"input_shape: got {text!r} and --data {name}; give one of the two")
    sizes = [parse_text(part, int) for part in text.lower().split("x")]
    if len(sizes) != 3 or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError(f"input_shape: got {text!r}; give height, width and channels, such as 32x32x3")
    height, width, channels = sizes
    return (height, width, channels), f"images of {text}"


def _classes(shape: tuple[int, int, int]) -> str:
    """As many as the data sets of such images have: ImageNet's, or the ten of the small ones."""
    return "1000" if min(shape[:2]) >= _IMAGENET_FROM else str(data.CLASSES)
