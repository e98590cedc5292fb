"""``jaxgrad profile``: what a function of the user's asks of the array, from a trace of it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli.machine import machine_of
from jaxgrad.cli.options import (
    COLS,
    DOUBLE_BUFFERED,
    FORWARD,
    JSON,
    MACHINE,
    OBJECTIVE,
    ROWS,
    SIZE,
    WEIGHT_UPDATE,
    given,
    option,
)
from jaxgrad.training import defaults

if TYPE_CHECKING:
    from jaxgrad.costs import StepCost
    from jaxgrad.costs.profiling import Profile

_CALL = "Call"
_MOST_DIGITS = 18  # of a size, which JAX keeps in 64 bits
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


class Named(NamedTuple):
    """A number by name; without one, for all."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}={self.number}" if self.name else str(self.number)

    @classmethod
    def loop(cls, option: str, text: Any) -> Named:
        """A rule: ``9`` or ``NAME=9``."""
        name, _, number = text.rpartition("=")
        return cls(name, SIZE(option, number))

    @classmethod
    def axis(cls, option: str, text: Any) -> Named:
        """A rule: ``NAME=9``."""
        name, equals, number = text.rpartition("=")
        if not equals:
            raise InputError(option, text, "give NAME=N, such as batch=32")
        return cls(name, SIZE(option, number))


def _argument(option: str, text: Any) -> Any:
    """A rule: the shape of an array, a number, or one of some words."""
    import jax
    import jax.numpy as jnp

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
        raise InputError(option, text, "give a type and a shape, such as f32[32,784], or a number")
    try:
        dtype = jnp.dtype(getattr(jnp, _TYPES.get(spec[1], spec[1])))
    except (AttributeError, TypeError):
        raise InputError(option, text, f"its type is none of {', '.join(_TYPES)}") from None
    sizes = spec[2].replace(" ", "").split(",")
    if any(len(size) > _MOST_DIGITS for size in sizes):
        raise InputError(option, text, f"give sizes of at most {_MOST_DIGITS} digits")
    return jax.ShapeDtypeStruct(tuple(int(size) for size in sizes if size), dtype)


def profile(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FUNCTION",
            help="What to trace, such as train:step or train.py:step; or an ONNX model, such as resnet.onnx.",
        ),
    ],
    arg: Annotated[
        list[Any] | None,
        option(
            "--arg",
            "SPEC",
            "One argument, in order: f32[32,784], i32[32], bf16[8,16], or a number, true, false or none; repeatable.",
            _CALL,
            rule=_argument,
            default="the module's example_args, a tuple or a function that gives one",
        ),
    ] = None,
    trips: Annotated[
        list[Named] | None,
        option(
            "--trips",
            "N",
            "How often while loops run: N for all, NAME=N for one that a note names; repeatable.",
            _CALL,
            rule=Named.loop,
        ),
    ] = None,
    dim: Annotated[
        list[Named] | None,
        option(
            "--dim",
            "NAME=N",
            "The size of an axis that an ONNX model leaves open, by its name or as INPUT:AXIS; repeatable.",
            _CALL,
            rule=Named.axis,
        ),
    ] = None,
    strict: Annotated[
        bool, option("--strict", None, "Refuse an ONNX model of which something is not counted.", _CALL)
    ] = False,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    machine: Annotated[Path | None, MACHINE] = None,
    forward: Annotated[str, FORWARD] = defaults.FORWARD,
    weight_update: Annotated[str, WEIGHT_UPDATE] = defaults.WEIGHT_UPDATE,
    objective: Annotated[str, OBJECTIVE] = defaults.OBJECTIVE,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Read what any JAX function asks of the array off a trace of it, and put the schedules side by side."""
    from jaxgrad.array.emulation import Emulation
    from jaxgrad.cli import screen
    from jaxgrad.reports import schedules

    hardware = machine_of(machine, rows, cols, double_buffered, given(context))
    array = hardware.array
    choices = {"forward": forward, "weight_update": weight_update, "objective": objective}
    emulation = Emulation(array, _CHOSEN, forward=forward, weight_update=weight_update, objective=objective)
    is_onnx = target.endswith(".onnx")
    names = {"trips": "--trips", "dims": "--dim", "function": target, "model": target}
    try:
        own = _onnx(target, arg, trips, dim, strict) if is_onnx else _traced(target, arg, trips, dim, strict)
        if not own.gemms:
            problem = f"got {target}, with no matrix product in it"
            raise InputError("function", target, "give one that has some", problem=problem)
        cost = own.cost(emulation, machine=hardware)
    except InputError as error:
        raise error.renamed(names[error.field]) if error.field in names else error from None
    if as_json:
        config = {"function": target, **asdict(array), **choices}
        vector = [asdict(work) for work in own.vector]
        edges = own.graph.as_dict()
        print(json.dumps({"config": config, "notes": own.notes, **cost.as_dict(), "vector": vector, "edges": edges}))
        return 0
    terminal = screen.console()
    terminal.print(f"{target}: {_summary(own)}; {array.rows}x{array.cols} array", soft_wrap=True)
    if any(gemm.needs_dx or gemm.needs_dw for gemm in own.gemms):
        called = f"one training step of {target}" if is_onnx else f"one call of {target.rpartition(':')[2]}"
        terminal.print(
            schedules.report(cost, _CHOSEN, array, measured=False, of=called, layers_in="the output of --json")
        )
    terminal.print("\n".join(_totals(own, cost)))
    for note in own.notes:
        terminal.print(f"note: {note}", soft_wrap=True)
    return 0


def _traced(
    target: str, arg: Sequence[Any] | None, trips: Sequence[Named] | None, dim: Sequence[Named] | None, strict: bool
) -> Profile:
    from jaxgrad.cli import screen
    from jaxgrad.costs.profiling import profile as traced

    if dim:
        remedy = "sizes by name are for ONNX models, give --arg with the whole shape"
        raise InputError("--dim", dim[0], remedy, problem=f"got {str(dim[0])!r}")
    if strict:
        raise InputError("--strict", True, "it is for ONNX models", problem=f"got it with {target}")
    function, module = _function(target)
    arguments = _examples(module) if arg is None else arg
    with screen.console().status("tracing the function"):
        return traced(function, *arguments, trips=_trips(trips))


def _onnx(
    target: str, arg: Sequence[Any] | None, trips: Sequence[Named] | None, dim: Sequence[Named] | None, strict: bool
) -> Profile:
    from jaxgrad.costs.profiling import Profile
    from jaxgrad.interop import onnx

    if arg:
        problem = f"got one with {target}"
        raise InputError("--arg", list(arg), "an ONNX model takes --dim and --trips alone", problem=problem)
    reading = onnx.read(target, dict(dim or ()), _trips(trips), strict=strict)
    notes = ["onnx: weights are taken to be trained; work beside the array is not read", *reading.notes]
    return Profile(reading.gemms, [], notes, reading.graph)


def _summary(own: Profile) -> str:
    forward = sum(gemm.times + gemm.recomputed for gemm in own.gemms)
    dx = sum(gemm.times for gemm in own.gemms if gemm.needs_dx)
    dw = sum(gemm.times for gemm in own.gemms if gemm.needs_dw)
    return f"{forward:,} forward GEMMs, {dx:,} dX, {dw:,} dW"


def _totals(own: Profile, cost: StepCost) -> Iterator[str]:
    """What the report of the schedules has not: the forward pass, and the vector unit."""
    from jaxgrad.array.counts import MACS
    from jaxgrad.costs import accesses, time_cycles
    from jaxgrad.reports.numbers import short

    forward = cost.total_forward()
    yield (
        f"Forward pass: {short(time_cycles(forward))} cycles, "
        f"{short(accesses(forward))} accesses, {short(forward[MACS])} MACs"
    )
    for phase in ("forward", "backward", "update"):
        works = [work for work in own.vector if work.phase == phase]
        if works:
            yield (
                f"Vector unit, {phase}: {short(sum(work.operations for work in works))} operations, "
                f"{short(sum(work.reads_words for work in works))} words read, "
                f"{short(sum(work.writes_words for work in works))} written"
            )


def _function(target: str) -> tuple[Callable[..., Any], ModuleType]:
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise InputError("function", target, "give MODULE:FUNCTION, such as train:step or train.py:step")
    module = _module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError("function", target, f"{place} has no {name}")
        found = getattr(found, part)
    if not callable(found):
        problem = f"got {target!r}, which is a {type(found).__name__}"
        raise InputError("function", target, "give something to call", problem=problem)
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
            raise InputError("function", place, "there is no such file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
        return module
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's module does when imported
        problem = f"got {place!r}, which can't be imported ({type(error).__name__}: {error})"
        raise InputError("function", place, "give one that can", problem=problem) from error


def _examples(module: ModuleType) -> Sequence[Any]:
    given: Any = getattr(module, "example_args", ())
    if callable(given):
        given = given()
    return tuple(given)


def _trips(given: Sequence[Named] | None) -> int | Mapping[str, int] | None:
    if not given:
        return None
    if all(each.name for each in given):
        return dict(given)
    if len(given) > 1:
        problem = f"got {' '.join(map(str, given))!r}"
        raise InputError("trips", list(given), "give one number for all loops, or NAME=N for each", problem=problem)
    return given[0].number
