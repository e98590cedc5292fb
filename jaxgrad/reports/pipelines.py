"""Pipelines of arrays as a table, with what its words mean, and as a figure of speed-up against arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.table import Table

from jaxgrad.pipelines.pipeline import find
from jaxgrad.pipelines.plans import Plan, Row
from jaxgrad.reports import tables
from jaxgrad.reports.numbers import fixed, measured, percent, short
from jaxgrad.reports.plots.sweep import sweep
from jaxgrad.reports.screen import PlainTable
from jaxgrad.reports.style import SCREEN, FigureStyle


def table(rows: Iterable[Row], title: str) -> Table:
    """A row for each pipeline on each number of arrays."""
    drawn = PlainTable(title, gap=1)
    drawn.add_column("arrays", justify="right", names=True)
    drawn.add_column("pipeline", names=True)
    for header in (
        *("period", "speed-\nup", "over\nPipeDr.", "arrays\nbusy", "words\nmoved", "weight\nwords"),
        "X\nwords",
    ):
        drawn.add_column(header, justify="right", no_wrap=True)
    before = None
    for row in rows:
        if before not in (None, row.processors):
            drawn.add_section()
        before = row.processors
        drawn.add_row(
            str(row.processors),
            row.pipeline,
            measured(row.period),
            fixed(row.speedup, 2),
            fixed(row.over_pipedream, 2),
            percent(row.utilisation, 1),
            short(row.words_moved),
            short(row.weight_words),
            short(row.activation_words),
        )
    return drawn


def legend(plans: Mapping[tuple[int, str], Plan], time: str) -> Table:
    """What the words in the table mean, and each pipeline in a line."""
    words = {
        "period": f"{time} a batch in steady state, simulated from warm-up to drain",
        "speed-up": "over all of it on one array; over PipeDr.: over PipeDream on as many arrays",
        "busy": "share of all arrays' time in which they compute",
        "words moved": "activations, cotangents and updated weights that go between arrays, a batch",
        "weight words": "of all versions on all arrays: each batch goes back through those that it met on its way in",
        "X words": "activations that wait for dW on all arrays, at most",
    }
    return tables.legend(words | {name: find(name).description for _, name in plans} | {"k, M, G": "10^3, 10^6, 10^9"})


def speedups(rows: Iterable[Row], path: Path, title: str, *, style: FigureStyle = SCREEN) -> list[Path]:
    """Speed-up over one array against the number of arrays, a line a pipeline."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        lines.setdefault(row.pipeline, []).append((row.processors, row.speedup))
    return sweep(lines, path, title, x_label="arrays", y_label="speed-up over one array", style=style)
