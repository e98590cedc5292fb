"""``jaxgrad gemm``: one GEMM's backward pass, its counters, and its gradients against a plain matmul."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli.errors import CHECK_FAILED
from jaxgrad.cli.like import LIKE, LIKE_CLASSES, LIKE_MODEL, LIKE_SHAPE, sized
from jaxgrad.cli.machine import machine_of
from jaxgrad.cli.options import NATURAL, Shape, given, option
from jaxgrad.cli.output_options import FORMAT, check_one, print_tables
from jaxgrad.cli.shared_options import (
    ARRAY_OBJECTIVE,
    COLS,
    DOUBLE_BUFFERED,
    FIDELITY,
    GEMM_BATCH,
    IN_FEATURES,
    JSON,
    MACHINE,
    OUT_FEATURES,
    ROWS,
    SCHEDULE,
    WEIGHT_UPDATE,
)
from jaxgrad.training import defaults

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from jaxgrad.array.counters import Counters
    from jaxgrad.array.emulation import Emulation
    from jaxgrad.array.gemm import Gemm
    from jaxgrad.costs import StepCost
    from jaxgrad.hardware import Accelerator, Machine
    from jaxgrad.programs import LayerGemm


@dataclass(frozen=True)
class _Check:
    """A gradient against a matmul in float64, element by element.

    Args:
        max_abs_error: the largest difference.
        max_abs_rounding: the largest that rounding in float32 explains.
        passed: whether each element is within its own bound.
    """

    max_abs_error: float
    max_abs_rounding: float
    passed: bool


def gemm(
    context: typer.Context,
    batch: Annotated[int, GEMM_BATCH] = 32,
    in_features: Annotated[int, IN_FEATURES] = 64,
    out_features: Annotated[int, OUT_FEATURES] = 48,
    like: Annotated[str | None, LIKE] = None,
    model: Annotated[str | None, LIKE_MODEL] = None,
    input_shape: Annotated[Shape | None, LIKE_SHAPE] = None,
    classes: Annotated[int | None, LIKE_CLASSES] = None,
    seed: Annotated[int, option("--seed", "N", "Of the data.", "GEMM", rule=NATURAL)] = 0,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    machine: Annotated[Path | None, MACHINE] = None,
    schedule: Annotated[str, SCHEDULE] = defaults.SCHEDULE,
    fidelity: Annotated[str, FIDELITY] = defaults.FIDELITY,
    weight_update: Annotated[str, WEIGHT_UPDATE] = defaults.WEIGHT_UPDATE,
    objective: Annotated[str, ARRAY_OBJECTIVE] = defaults.OBJECTIVE,
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Run the backward pass of one GEMM on the array: its counters, and its gradients against a plain matmul."""
    import numpy as np

    from jaxgrad.array import pace
    from jaxgrad.array.counting import count
    from jaxgrad.array.emulation import Emulation, emulate
    from jaxgrad.cli import cache, progress, screen
    from jaxgrad.costs import summary
    from jaxgrad.reports import tables
    from jaxgrad.reports.numbers import scientific

    check_one(format_, as_json)
    cache.turn_on()
    hardware = machine_of(machine, rows, cols, double_buffered, given(context))
    layer = sized(context.params, given(context))
    sizes, array = layer.gemm, hardware.array
    choices: dict[str, Any] = {
        "schedule": schedule,
        "fidelity": fidelity,
        "weight_update": weight_update,
        "objective": objective,
    }
    emulation = Emulation(array, **choices)
    one = _on_machine(layer.record, emulation, hardware)
    _check_memory(sizes, array, fidelity)
    if fidelity == "register":
        cycles = count(sizes, array, schedule, objective=objective).as_dict()["cycles"]
        progress.tell_pace(pace.register_seconds(cycles, array, schedule))
    x, w, dy = _data(sizes, seed)
    out = screen.console()
    with progress.busy("running", out) if not (as_json or format_) else nullcontext():
        dx, dw, counters = emulate(x, w, dy, array, **choices)
        checks = {
            name: _check(np.asarray(got), *operands)
            for name, got, operands in (("dx", dx, (dy, w.T)), ("dw", dw, (x.T, dy)))
            if got is not None
        }
    passed = all(check.passed for check in checks.values())
    config = {**asdict(sizes), **asdict(array), **choices, "seed": seed, **layer.config}
    cost = one and _with_zeros(one, counters)
    if as_json:
        results = {name: asdict(check) for name, check in checks.items()}
        told = {"config": config, "counters": counters.as_dict(), "check": {"passed": passed, **results}}
        print(json.dumps(told if cost is None else told | {"on_machine": _told(cost, schedule)}))
        return 0 if passed else CHECK_FAILED
    shown = [tables.counters_table(counters.counts(), _title(config))]
    if cost is not None:
        whole = "The same in blocks through the machine's memories"
        shown.append(tables.machine_table({schedule: summary(cost, schedule)}, schedule, whole, part="backward"))
    if format_:
        print_tables(shown, format_)
    else:
        for table in shown:
            out.print(table)
        out.print(
            tables.note(
                f"X, W and dY are seeded random numbers; about half of X and of dY is zero, as after a "
                f"ReLU, hence the effectual MACs. Seed: {seed}.{layer.note and ' '}{layer.note}"
            )
        )
        for name, check in checks.items():
            verdict = "pass" if check.passed else "FAIL"
            out.print(
                f"{verdict}: {name} is within {scientific(check.max_abs_error, 1)} of a plain matmul's; "
                f"rounding allows {scientific(check.max_abs_rounding, 1)}"
            )
    return 0 if passed else CHECK_FAILED


def _on_machine(layer: LayerGemm, emulation: Emulation, machine: Machine) -> StepCost | None:
    """The layer's step on a machine that has a memory, from shapes; of the gradients those that the schedule gives."""
    from jaxgrad.costs import step_cost

    if machine.memory is None:
        return None
    gives = emulation.schedule.gives
    record = replace(layer, needs_dx="dx" in gives, needs_dw="dw" in gives)
    return step_cost([record], emulation, [emulation.schedule], machine=machine)


def _with_zeros(cost: StepCost, counters: Counters) -> StepCost:
    """The step with the zeros that were counted in its gradients."""
    from jaxgrad.costs import sparse

    counts = counters.as_dict()
    ratio = counts["effectual_macs"], counts["macs"]
    return sparse(cost, {layer.path: (ratio, ratio) for layer in cost.layers})


def _told(cost: StepCost, schedule: str) -> dict[str, Any]:
    """What the gradients take through the memories, and which schedules a choice made there."""
    from jaxgrad.costs import sums

    return {**sums(cost, "backward")[schedule], "ran": list(cost.layers[0].ran[schedule])}


def _title(config: dict[str, Any]) -> str:
    buffered = ", double-buffered" if config["double_buffered"] else ""
    return (
        f"Gradients of Y[{config['batch']},{config['out_features']}] = X[{config['batch']},{config['in_features']}] "
        f"W[{config['in_features']},{config['out_features']}] on a {config['rows']}x{config['cols']} array{buffered}: "
        f"{config['schedule']}, {config['fidelity']} fidelity"
    )


def _check_memory(gemm: Gemm, array: Accelerator, fidelity: str) -> None:
    """Refuses what can't fit rather than have the process killed half way."""
    if not hasattr(os, "sysconf"):
        return  # Windows doesn't tell
    b, k, n = gemm.sizes.values()
    needed_bytes = 32 * (b * k + k * n + b * n + array.pes)  # with results, references in float64 and temporaries
    if fidelity == "register":  # the skewed edges: what enters each row and column in each cycle
        needed_bytes += 8 * (2 * max(b, k, n) + 2 * array.rows + array.cols) * (array.rows + array.cols)
    from jaxgrad.reports.numbers import short

    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed_bytes > memory_bytes:
        sizes = f"{gemm.batch}x{gemm.in_features}x{gemm.out_features} on {array.rows}x{array.cols}"
        remedy = f"give smaller ones, these need {short(needed_bytes)}B of memory and there are {short(memory_bytes)}B"
        raise InputError("sizes", needed_bytes, remedy, problem=f"got {sizes}")


def _data(
    gemm: Gemm, seed: int
) -> tuple[Float32[np.ndarray, "b k"], Float32[np.ndarray, "k n"], Float32[np.ndarray, "b n"]]:
    import numpy as np

    generator = np.random.default_rng(seed)

    def normal(rows: int, columns: int) -> Float32[np.ndarray, "rows columns"]:
        return generator.standard_normal((rows, columns), np.float32)

    x = np.maximum(normal(gemm.batch, gemm.in_features), 0)
    w = normal(gemm.in_features, gemm.out_features)
    dy = normal(gemm.batch, gemm.out_features) * (generator.random((gemm.batch, gemm.out_features)) < 0.5)
    return x, w, dy.astype(np.float32)


def _check(got: Any, first: Any, second: Any) -> _Check:
    import numpy as np

    first, second = first.astype(np.float64), second.astype(np.float64)
    error = np.abs(got - first @ second)
    # Higham's bound for a sum of n products in any order: n eps sum |a b|, to first order; two more for good measure.
    bound = (first.shape[1] + 2) * np.finfo(np.float32).eps * (np.abs(first) @ np.abs(second))
    return _Check(float(error.max()), float(bound.max()), bool((error <= bound).all()))
