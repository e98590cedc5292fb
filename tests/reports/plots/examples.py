"""Every figure that commands and experiments draw, of few layers and of many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import StepCost, step_cost
from jaxgrad.costs.shares import shares
from jaxgrad.hardware import Accelerator, Machine
from jaxgrad.pipelines.plans import Plan, plans
from jaxgrad.programs import LayerGemm
from jaxgrad.reports import figures, plots
from jaxgrad.reports.numbers import Unit
from jaxgrad.reports.plots.diagnostics import diagnostics
from jaxgrad.reports.plots.regions import fastest
from jaxgrad.reports.quantities import Quantity
from jaxgrad.reports.style import FigureStyle
from jaxgrad.reports.timeline import gantt
from jaxgrad.reports.timeline import pipelines as timeline
from tests.reports.plots.steps import SCHEDULES, summaries

Draw = Callable[[int, Path, FigureStyle], list[Path]]
SWEPT = {name: [(n, 1e9 / n**1.5 * (1 + place / 5)) for n in (8, 16, 32, 64)] for place, name in enumerate(SCHEDULES)}
AXES: Any = {"x_label": "rows and columns [PEs]", "y_label": "cycles of a training step"}
NETWORKS = ("inception_v4", "densenet264")
QUANTITIES = ("clock cycles", "SRAM accesses", "energy")
CHANGES = ("as written", "iso_area_with of the other variant", "stationary = best", "WS rows 161")
KINDS = [f"interleaved, double-buffered, kind {number}" for number in range(6)]
RECORDS: list[dict[str, Any]] = [
    {f"{part}_{what}": 1.5 / (epoch + 1) for part in ("train", "test") for what in ("loss", "accuracy")}
    | {"epoch": epoch}
    for epoch in range(8)
]
MEASURED: list[dict[str, Any]] = [
    {name: 0.1 + place + step / 900 for place, name in enumerate((
        "loss", "gradient_squared", "noise", "mean_square", "sharpness", "gradient_curvature", "update_curvature",
        "update_size", "distance_from_start", "rise",
    ))} | {"descent": -2.0, "step": step}
    for step in range(0, 9000, 300)
]  # fmt: skip


def costed(layers: int) -> StepCost:
    gemms = [LayerGemm(f"blocks.{n}.conv", Gemm(8 * (1 + n), 48, 32), 1, needs_dx=n > 0) for n in range(layers)]
    return step_cost(gemms, Emulation(Accelerator(16, 16)), ("interleaved", "ws_only", "os_only", "best"))


def planned() -> dict[tuple[int, str], Plan]:
    from jaxgrad.cli.pipeline import _networks

    networks = _networks("lenet", None, None, Machine(Accelerator(16, 16)), "sequential", "cycles", False)
    return plans(networks, 8, (2, 3), ("pipedream", "layerpipe"), microbatches=2, chunks=2, link=None)


PLOTS: dict[str, Draw] = {
    "cycles": lambda layers, path, style: plots.normalised_cycles(
        {"first": summaries(layers), "second": summaries(2)}, path, "a title", baseline="sequential", style=style
    ),
    "energy by component": lambda layers, path, style: plots.energy_by_component(
        summaries(layers), path, "a title", style=style
    ),
    "energy by phase": lambda layers, path, style: plots.energy_by_phase(
        summaries(layers), path, "a title", style=style
    ),
    "accesses": lambda layers, path, style: plots.accesses_by_operand(summaries(layers), path, "a title", style=style),
    "utilisation": lambda layers, path, style: plots.utilisation_by_layer(
        summaries(layers), path, "a title", style=style
    ),
    "roofline": lambda layers, path, style: plots.roofline(summaries(layers), path, "a title", style=style),
    "pareto": lambda layers, path, style: plots.pareto(
        [plots.Point(f"design {n}", (1 + n, 10**6 // (1 + n))) for n in range(layers // 3 + 1)],
        path,
        "a title",
        (Quantity("area", Unit("mm2", 1.0)), Quantity("clock cycles", Unit("cycles", 1.0))),
        style=style,
    ),
    "curves": lambda layers, path, style: plots.curves(
        {
            f"variant {n}": [[(71 * k, 2.0 / (1 + (seed + n) * k)) for k in range(1, 20)] for seed in range(3)]
            for n in range(1 + layers // 24)
        },
        path,
        "a title",
        x_label="steps",
        y_label="loss, mean of an epoch's batches",
        published={"variant 0": [(700, 0.2)]},
        style=style,
    ),
    "spreads": lambda layers, path, style: plots.spreads(
        {f"variant {n}": [95.0 + n / 10, 95.5, 96.1] for n in range(1 + layers // 24)},
        path,
        "a title",
        x_label="test accuracy [%]",
        published={"variant 0": 97.0},
        style=style,
    ),
    "sweep": lambda layers, path, style: plots.sweep(
        SWEPT, path, "a title " * (layers // 3), published={"auto": [(32, 4e6)]}, style=style, **AXES
    ),
    "regions": lambda layers, path, style: fastest(
        Machine(Accelerator(8, 8)), path, "a title", points=5 + layers // 54, style=style
    ),
    "changes": lambda layers, path, style: plots.changes(
        {
            f"{change}, {n}": {name: dict.fromkeys(NETWORKS, 0.8 + 0.01 * n) for name in QUANTITIES}
            for n, change in enumerate(CHANGES * (1 + layers // 100))
        },
        path,
        "a title",
        published={"energy": {NETWORKS[0]: 0.82}},
        style=style,
    ),
    "panels": lambda layers, path, style: plots.panels(
        {name: {net: [(n, 0.8 + n / 1000) for n in range(1, layers)] for net in NETWORKS} for name in QUANTITIES},
        path,
        "a title",
        x_label="rows of the other variant's array",
        y_label="ratio",
        published={"energy": {NETWORKS[0]: 0.82}},
        style=style,
    ),
    "choices": lambda layers, path, style: plots.choices(
        {name: shares(costed(layers), "best", Accelerator(16, 16)) for name in NETWORKS}, path, "a title", style=style
    ),
    "descents": lambda layers, path, style: plots.descents(
        {kind: [[10.0 / (1 + n) for n in range(layers)]] for kind in KINDS},
        dict.fromkeys(KINDS, 1.2),
        path,
        "a title",
        y_label="relaxed EDP [mJ s]",
        best=dict.fromkeys(KINDS, 1.0),
        style=style,
    ),
    "diagnostics": lambda _, path, style: diagnostics(MEASURED, path, "a title", stopped=3000, style=style),
    "training": lambda _, path, style: figures.training_curve(RECORDS, path, "a title", style=style),
    "cycles by layer": lambda layers, path, style: figures.cycles_by_layer(
        costed(layers), path, "a title", style=style
    ),
    "accesses by kind": lambda layers, path, style: figures.accesses_by_kind(
        costed(layers), path, "a title", style=style
    ),
    "gantt": lambda layers, path, style: gantt.gantt(
        ("interleaved", "sequential"), Gemm(layers, 40, 20), Accelerator(8, 8), path, "a title", style=style
    ),
    "pipelines": lambda _, path, style: timeline.gantt(
        {name: plan for (count, name), plan in planned().items() if count == 3}, path, "a title", "cycles", style=style
    ),
}  # fmt: skip
"""What draws each, of so many layers (or designs, changes, variants) at a path, in a style."""
