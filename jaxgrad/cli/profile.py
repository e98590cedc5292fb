"""``jaxgrad profile``: what a function of the user's asks of the array, from a trace of it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad.array.emulation import Emulation
from jaxgrad.base.errors import positive_integer
from jaxgrad.base.literals import parse_text
from jaxgrad.cli import screen
from jaxgrad.cli.errors import bad_input, flag
from jaxgrad.cli.machine import machine_of
from jaxgrad.costs import StepCost, accesses, time_cycles
from jaxgrad.costs.profiling import Profile, profile
from jaxgrad.interop import onnx
from jaxgrad.reports import schedules
from jaxgrad.reports.numbers import short as number

_CHOSEN = "interleaved"
_SPEC = re.compile(r"(\w+)\[([\d\s,]*)\]")
_WORDS = {"true": True, "false": False, "none": None}
_TYPES = {
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"i{bits}": f"int{bits}" for bits in (4, 8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (4, 8, 16, 32, 64)},
    "bf16": "bfloat16",
    "bool": "bool",
}


def run(
    *,
    target: str,
    arg: Sequence[str] | None,
    trips: Sequence[str] | None,
    dim: Sequence[str] | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Prints the table of the schedules, or with ``as_json`` all there is to know."""
    with bad_input(
        {name: flag(name) for name in options}
        | {"trips": "--trips", "dims": "--dim", "function": target, "model": target}
    ):
        machine = machine_of(options)
        array = machine.array
        choices = {choice: options[choice] for choice in ("forward", "weight_update", "objective")}
        emulation = Emulation(array, _CHOSEN, **choices)
        read = _onnx if target.endswith(".onnx") else _traced
        own = read(target, arg, trips, dim)
        if not own.gemms:
            raise ValueError(f"function: got {target}, with no matrix product in it; give one that has some")
        cost = own.cost(emulation, machine=machine)
    if as_json:
        config = {"function": target, **asdict(array), **choices}
        vector = [asdict(work) for work in own.vector]
        edges = own.graph.as_dict()
        print(json.dumps({"config": config, "notes": own.notes, **cost.as_dict(), "vector": vector, "edges": edges}))
        return 0
    terminal = screen.console()
    terminal.print(f"{target}: {_summary(own)}; {array.rows}x{array.cols} array", soft_wrap=True)
    if any(gemm.needs_dx or gemm.needs_dw for gemm in own.gemms):
        called = f"one training step of {target}" if read is _onnx else f"one call of {target.rpartition(':')[2]}"
        terminal.print(
            schedules.report(cost, _CHOSEN, array, measured=False, of=called, layers_in="the output of --json")
        )
    terminal.print("\n".join(_totals(own, cost)), highlight=False)
    for note in own.notes:
        terminal.print(f"note: {note}", soft_wrap=True, markup=False, highlight=False)
    return 0


def _traced(target: str, arg: Sequence[str] | None, trips: Sequence[str] | None, dim: Sequence[str] | None) -> Profile:
    if dim:
        raise ValueError(f"--dim: got {dim[0]!r}; sizes by name are for ONNX models, give --arg with the whole shape")
    function, module = _function(target)
    arguments = _examples(module) if arg is None else [_argument(text) for text in arg]
    with screen.console().status("tracing the function"):
        return profile(function, *arguments, trips=_trips(trips))


def _onnx(target: str, arg: Sequence[str] | None, trips: Sequence[str] | None, dim: Sequence[str] | None) -> Profile:
    if arg or trips:
        raise ValueError(f"{'--arg' if arg else '--trips'}: got one with {target}; an ONNX model takes --dim alone")
    sizes: dict[str, int] = {}
    for text in dim or ():
        name, equals, size = text.rpartition("=")
        if not equals:
            raise ValueError(f"--dim: got {text!r}; give NAME=N, such as batch=32")
        sizes[name] = positive_integer("dims", parse_text(size, int))
    graph = onnx.read_graph(target, sizes)
    notes = ["onnx: weights are taken to be trained; work beside the array is not read"]
    return Profile([node.gemm for node in graph.nodes], [], notes, graph)


def _summary(own: Profile) -> str:
    forward = sum(gemm.times + gemm.recomputed for gemm in own.gemms)
    dx = sum(gemm.times for gemm in own.gemms if gemm.needs_dx)
    dw = sum(gemm.times for gemm in own.gemms if gemm.needs_dw)
    return f"{forward:,} forward GEMMs, {dx:,} dX, {dw:,} dW"


def _totals(own: Profile, cost: StepCost) -> Iterator[str]:
    """What the report of the schedules has not: the forward pass, and the vector unit."""
    forward = cost.total_forward()
    yield (
        f"Forward pass: {number(time_cycles(forward))} cycles, "
        f"{number(accesses(forward))} accesses, {number(forward['macs'])} MACs"
    )
    for phase in ("forward", "backward", "update"):
        works = [work for work in own.vector if work.phase == phase]
        if works:
            yield (
                f"Vector unit, {phase}: {number(sum(work.operations for work in works))} operations, "
                f"{number(sum(work.reads_words for work in works))} words read, "
                f"{number(sum(work.writes_words for work in works))} written"
            )


def _function(target: str) -> tuple[Callable[..., Any], ModuleType]:
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise ValueError(f"function: got {target!r}; give MODULE:FUNCTION, such as train:step or train.py:step")
    module = _module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"function: got {target!r}; {place} has no {name}")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"function: got {target!r}, which is a {type(found).__name__}; give something to call")
    return found, module


def _module(place: str) -> ModuleType:
    """A module by its dotted name, as Python started here would find it, or by its file."""
    try:
        if not place.endswith(".py"):
            if "" not in sys.path:
                sys.path.insert(0, "")
            return importlib.import_module(place)
        path = Path(place)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ValueError(f"function: got {place!r}; there is no such file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
        return module
    except ValueError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's module does when imported
        said = " ".join(str(error).split())
        raise ValueError(
            f"function: got {place!r}, which can't be imported ({type(error).__name__}: {said}); give one that can"
        ) from error


def _examples(module: ModuleType) -> Sequence[Any]:
    given: Any = getattr(module, "example_args", ())
    if callable(given):
        given = given()
    return tuple(given)


def _argument(text: str) -> Any:
    spec = _SPEC.fullmatch(text.strip())
    if spec is None:
        word = text.strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        raise ValueError(f"--arg: got {text!r}; give a type and a shape, such as f32[32,784], or a number")
    try:
        dtype = jnp.dtype(getattr(jnp, _TYPES.get(spec[1], spec[1])))
    except (AttributeError, TypeError):
        raise ValueError(f"--arg: got {text!r}; its type is none of {', '.join(_TYPES)}") from None
    sizes = [int(size) for size in spec[2].replace(" ", "").split(",") if size]
    return jax.ShapeDtypeStruct(tuple(sizes), dtype)


def _trips(texts: Sequence[str] | None) -> int | dict[str, int] | None:
    if not texts:
        return None
    named: dict[str, int] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals:
            if len(texts) > 1:
                raise ValueError(f"trips: got {' '.join(texts)!r}; give one number for all loops, or NAME=N for each")
            return positive_integer("trips", parse_text(number, int))
        named[name] = positive_integer("trips", parse_text(number, int))
    return named
