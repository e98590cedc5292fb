"""``jaxgrad profile``: what a function of the user's asks of the array, from a trace of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli.functions import Named, argument, example_arguments, load
from jaxgrad.cli.machine import machine_of
from jaxgrad.cli.options import given, option
from jaxgrad.cli.output_options import FORMAT, check_one, print_tables
from jaxgrad.cli.shared_options import (
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
    from jaxgrad.costs import StepCost
    from jaxgrad.costs.profiling import Profile
    from jaxgrad.reports.screen import PlainTable

_CALL = "Call"
_CHOSEN = "interleaved"


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
            rule=argument,
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
    estimator: Annotated[str | None, ESTIMATOR] = None,
    keep: Annotated[float | None, KEEP] = None,
    mode: Annotated[str | None, MODE] = None,
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Read what any JAX function asks of the array off a trace of it, and put the schedules side by side."""
    from jaxgrad.array.emulation import Emulation
    from jaxgrad.cli import progress, screen
    from jaxgrad.reports import schedules
    from jaxgrad.training.methods import EstimatorSection

    check_one(format_, as_json)
    gradients = EstimatorSection.of(estimator, keep, mode)
    hardware = machine_of(machine, rows, cols, double_buffered, given(context))
    array = hardware.array
    choices = {"forward": forward, "weight_update": weight_update, "objective": objective}
    emulation = Emulation(array, _CHOSEN, forward=forward, weight_update=weight_update, objective=objective)
    is_onnx = target.endswith(".onnx")
    names = {"trips": "--trips", "dims": "--dim", "function": target, "model": target}
    try:
        reads = _read_onnx if is_onnx else _trace
        program = reads(target, arg, trips, dim, strict)
        if not program.gemms:
            problem = f"got {target}, with no matrix product in it"
            raise InputError("function", target, "give one that has some", problem=problem)
        with progress.busy("costing", screen.console()):
            cost = program.cost(emulation, machine=hardware, estimator=gradients.built())
    except InputError as error:
        raise error.renamed(names[error.field]) if error.field in names else error from None
    if as_json:
        config = {"function": target, **asdict(array), **choices}
        config |= {"estimator": {"name": "exact", **gradients.model_dump(exclude_none=True)}}
        vector = [asdict(work) for work in program.vector]
        edges = program.graph.as_dict()
        print(
            json.dumps({"config": config, "notes": program.notes, **cost.as_dict(), "vector": vector, "edges": edges})
        )
        return 0
    called = f"one training step of {target}" if is_onnx else f"one call of {target.rpartition(':')[2]}"
    has_gradients = any(gemm.needs_dx or gemm.needs_dw for gemm in program.gemms)
    if format_:
        shown = schedules.report(cost, _CHOSEN, array, measured=False, of=called, whole=True)
        print_tables([*[shown] * has_gradients, _totals_tables(program, cost)], format_)
        return 0
    terminal = screen.console()
    terminal.print(f"{target}: {_summary(program)}; {array.rows}x{array.cols} array{gradients.suffix}", soft_wrap=True)
    if has_gradients:
        terminal.print(
            schedules.report(cost, _CHOSEN, array, measured=False, of=called, layers_in="the output of --json")
        )
    terminal.print("\n".join(_totals(program, cost)))
    for note in program.notes:
        terminal.print(f"note: {note}", soft_wrap=True)
    return 0


def _trace(
    target: str, arg: Sequence[Any] | None, trips: Sequence[Named] | None, dim: Sequence[Named] | None, strict: bool
) -> Profile:
    from jaxgrad.cli import progress, screen
    from jaxgrad.costs.profiling import profile as trace

    if dim:
        remedy = "sizes by name are for ONNX models, give --arg with the whole shape"
        raise InputError("--dim", dim[0], remedy, problem=f"got {str(dim[0])!r}")
    if strict:
        raise InputError("--strict", True, "it is for ONNX models", problem=f"got it with {target}")
    with progress.busy(f"importing {target}", screen.console()):
        function, module = load(target)
        arguments = example_arguments(module) if arg is None else arg
    with progress.busy("tracing the function", screen.console()):
        return trace(function, *arguments, trips=_trips(trips))


def _read_onnx(
    target: str, arg: Sequence[Any] | None, trips: Sequence[Named] | None, dim: Sequence[Named] | None, strict: bool
) -> Profile:
    from jaxgrad.cli import progress, screen
    from jaxgrad.costs.profiling import Profile
    from jaxgrad.interop import onnx

    if arg:
        problem = f"got one with {target}"
        raise InputError("--arg", list(arg), "an ONNX model takes --dim and --trips alone", problem=problem)
    with progress.busy("reading the model", screen.console()):
        reading = onnx.read(target, dict(dim or ()), _trips(trips), strict=strict)
    notes = ["onnx: weights are taken to be trained; work beside the array is not read", *reading.notes]
    return Profile(reading.gemms, [], notes, reading.graph)


def _summary(program: Profile) -> str:
    forward = sum(gemm.times + gemm.recomputed for gemm in program.gemms)
    dx = sum(gemm.times for gemm in program.gemms if gemm.needs_dx)
    dw = sum(gemm.times for gemm in program.gemms if gemm.needs_dw)
    return f"{forward:,} forward GEMMs, {dx:,} dX, {dw:,} dW"


def _totals(program: Profile, cost: StepCost) -> Iterator[str]:
    """Lines on the forward pass and on the vector unit, which the report of the schedules leaves out."""
    from jaxgrad.array.counts import MACS
    from jaxgrad.costs import accesses, time_cycles
    from jaxgrad.reports.numbers import short

    forward = cost.total_forward()
    yield (
        f"Forward pass: {short(time_cycles(forward))} cycles, "
        f"{short(accesses(forward))} accesses, {short(forward[MACS])} MACs"
    )
    for phase in ("forward", "backward", "update"):
        works = [work for work in program.vector if work.phase == phase]
        if works:
            yield (
                f"Vector unit, {phase}: {short(sum(work.operations for work in works))} operations, "
                f"{short(sum(work.reads_words for work in works))} words read, "
                f"{short(sum(work.writes_words for work in works))} written"
            )


def _totals_tables(program: Profile, cost: StepCost) -> list[PlainTable]:
    """The same as tables."""
    from jaxgrad.array.counts import MACS
    from jaxgrad.costs import accesses, time_cycles
    from jaxgrad.reports.numbers import short
    from jaxgrad.reports.screen import PlainTable

    forward = cost.total_forward()
    tables = [PlainTable("Forward pass")]
    for header in ("cycles", "accesses [words]", "MACs"):
        tables[0].add_column(header, justify="right")
    tables[0].add_row(short(time_cycles(forward)), short(accesses(forward)), short(forward[MACS]))
    if program.vector:
        vector = PlainTable("Vector unit")
        vector.add_column("phase", names=True)
        for header in ("operations", "words read", "words written"):
            vector.add_column(header, justify="right")
        for phase in dict.fromkeys(work.phase for work in program.vector):
            works = [work for work in program.vector if work.phase == phase]
            sums = (
                sum(work.operations for work in works),
                sum(work.reads_words for work in works),
                sum(work.writes_words for work in works),
            )
            vector.add_row(phase, *map(short, sums))
        tables.append(vector)
    return tables


def _trips(counts: Sequence[Named] | None) -> int | Mapping[str, int] | None:
    if not counts:
        return None
    if all(count.name for count in counts):
        return dict(counts)
    if len(counts) > 1:
        problem = f"got {' '.join(map(str, counts))!r}"
        raise InputError("trips", list(counts), "give one number for all loops, or NAME=N for each", problem=problem)
    return counts[0].number
