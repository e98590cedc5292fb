"""``python -m benchmarks``: what the emulator costs, as ratios measured side by side, and what bounds each.

Training steps run in one process, the variants in turn, round after round; a figure is the median of the rounds'
ratios to plain Flax. The register engines run in a process pinned to one core.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import commands, costs, diagnostics, golden, inputs, pipelines, processes, registers, steps
from benchmarks.figure import Figure

_REGISTERS = "--registers-only"


def main(
    out: Annotated[Path | None, typer.Option(help="Also write the figures to this JSON file.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Alternating runs of each training step.")] = 7,
    registers_only: Annotated[
        bool, typer.Option(_REGISTERS, help="Print the register engines' figures as JSON.")
    ] = False,
) -> None:
    """Measures training steps, register engines and start-up."""
    if registers_only:
        print(json.dumps([figure._asdict() for figure in (*registers.figures(), *golden.figures())]))
        return
    console = Console()
    pinned = subprocess.run(
        [sys.executable, "-m", "benchmarks", _REGISTERS], capture_output=True, text=True, check=True
    )
    figures = [
        *steps.training(rounds),
        steps.transformation(rounds),
        *inputs.figures(rounds),
        *(Figure(**fields) for fields in json.loads(pinned.stdout)),
        commands.startup(),
        *costs.figures(rounds),
        *pipelines.figures(rounds),
        *diagnostics.figures(rounds),
        *processes.figures(),
    ]
    table = Table(
        title="jaxgrad benchmark", caption="Medians of alternating runs; a ratio of 1 is plain Flax's own step."
    )
    for header in ("what", "measured", "target", "met", "bounded by"):
        table.add_column(header, justify="right" if header in ("measured", "target") else "left")
    for figure in figures:
        table.add_row(
            figure.name, f"{figure.value:.3g} {figure.unit}", figure.target, "yes" if figure.met else "NO", figure.bound
        )
    console.print(table)
    report = json.dumps([figure._asdict() for figure in figures], indent=2)
    console.print_json(report)
    if out is not None:
        out.write_text(report + "\n")


if __name__ == "__main__":
    typer.run(main)
