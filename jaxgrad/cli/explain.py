"""``jaxgrad explain``: one layer's gradients under every schedule, where the cycles go and which schedule pays."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxgrad.cli.machine import machine_of
from jaxgrad.cli.options import given
from jaxgrad.cli.output_options import FORMAT, check_one, print_tables
from jaxgrad.cli.shared_options import (
    COLS,
    DOUBLE_BUFFERED,
    GEMM_BATCH,
    IN_FEATURES,
    JSON,
    MACHINE,
    OUT_FEATURES,
    ROWS,
    TRAINING_SCHEDULE,
)
from jaxgrad.training import defaults

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jaxgrad.array.gemm import Gemm
    from jaxgrad.costs import StepCost
    from jaxgrad.hardware import Machine


def explain(
    context: typer.Context,
    batch: Annotated[int, GEMM_BATCH] = 32,
    in_features: Annotated[int, IN_FEATURES] = 64,
    out_features: Annotated[int, OUT_FEATURES] = 48,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    machine: Annotated[Path | None, MACHINE] = None,
    schedule: Annotated[str, TRAINING_SCHEDULE] = defaults.SCHEDULE,
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Say where the cycles of one layer's gradients go under each schedule, which one pays, and why."""
    from jaxgrad.array.gemm import Gemm
    from jaxgrad.array.schedules import TRAINING_SCHEDULES
    from jaxgrad.cli import screen
    from jaxgrad.costs import summary
    from jaxgrad.costs.anatomy import anatomies
    from jaxgrad.reports import explanations, tables

    check_one(format_, as_json)
    hardware = machine_of(machine, rows, cols, double_buffered, given(context))
    array, gemm = hardware.array, Gemm(batch, in_features, out_features)
    explained = anatomies(TRAINING_SCHEDULES, gemm, array)
    cost = _through_memory(gemm, hardware) if hardware.memory else None
    if as_json:
        config = {**asdict(gemm), **asdict(array), "schedule": schedule}
        data = {"config": config, "schedules": {name: parts.as_dict() for name, parts in explained.items()}}
        print(json.dumps(data if cost is None else {**data, "step": cost.as_dict()}))
        return 0
    parts: list[RenderableType] = [explanations.report(explained, schedule, gemm, array)]
    if cost is not None:
        summaries = {name: summary(cost, name) for name in cost.schedules}
        title = "One step of it through the memory, forward pass included"
        parts += ["", tables.machine_table(summaries, schedule, title)]
    if format_:
        print_tables(parts, format_)
        return 0
    out = screen.console()
    for part in parts:
        out.print(part)
    return 0


def _through_memory(gemm: Gemm, machine: Machine) -> StepCost:
    from jaxgrad.array.emulation import Emulation
    from jaxgrad.costs import step_cost
    from jaxgrad.programs import LayerGemm

    return step_cost([LayerGemm("layer", gemm, 1, needs_dx=True)], Emulation(machine.array), machine=machine)
