"""The folder of an experiment on the dynamics of training: results.csv, results.json, figures, tables and report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.base.csv_text import csv_text
from jaxgrad.base.files import write_texts
from jaxgrad.reports import html, plots
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies import frame
from jaxgrad.studies.dynamics import tables
from jaxgrad.studies.dynamics.ensemble import Measured
from jaxgrad.studies.dynamics.schema import QUANTITIES
from jaxgrad.studies.dynamics.tables import Results

_LEFT_OUT = 5  # of the sums of a balance, the first one in so many is not drawn
Lines = Mapping[str, Sequence[plots.Samples]]


def write(folder: Path, results: Results, style: FigureStyle = SCREEN) -> list[Path]:
    """Writes everything, each file whole or not at all; returns the files, the page last."""
    written = write_texts(
        folder,
        {
            "results.csv": _as_csv(results),
            "results.json": json.dumps(_data(results), indent=1),
            **frame.table_texts(tables.screen(results)),
        },
    )
    figures = []
    for name, title, lines, y_label in _figures(results):
        drawn = plots.curves(
            lines, folder / name, f"{results.experiment.title}: {title}", x_label="steps", y_label=y_label, style=style
        )
        written += drawn
        figures.append(html.Figure(next(path for path in drawn if path.suffix == ".svg"), title))
    experiment = results.experiment
    shown = [html.Table(headers, rows, title) for title, (headers, rows) in tables.all_tables(results).items()]
    sections = [
        frame.asked(experiment),
        html.Section("What came out", [tables.meaning(results)], shown),
        html.Section("Figures", ["Lines are means over the seeds, bands from the least to the greatest."], (), figures),
        frame.how_it_was_made(
            ["All seeds of a variant are trained at once, by XLA; cycles are counted in closed form."]
        ),
    ]
    return [*written, html.write(folder / "report.html", experiment.title, sections, written)]


def _figures(results: Results) -> Iterator[tuple[str, str, Lines, str]]:
    """File, title, lines and y axis."""
    for name, title, label in (
        ("loss", "training loss", "loss"),
        ("gradient", "norm of the gradient", QUANTITIES["gradient"]),
        ("noise", "noise of a batch's gradient", "mean squared distance from grad f"),
    ):
        lines = {
            variant: [list(zip(results.steps, map(float, series), strict=True)) for series in getattr(measured, name)]
            for variant, measured in results.measured.items()
        }
        yield name, title, lines, label
    settled = results.experiment.dynamics.windows[0][1]
    balances = {variant: [_balance(results.steps, of, settled)] for variant, of in results.measured.items()}
    title = "balance of a step, of sums from the first window's end on"
    yield "balance", title, balances, "rise over descent"


def _balance(steps: Sequence[int], measured: Measured, settled: int) -> plots.Samples:
    """Of sums from a step on, over the seeds: one measurement's is of a few batches alone, as are the first sums."""
    start = next(place for place, step in enumerate(steps) if step > settled)
    rise, descent = (np.cumsum(values[:, start:].sum(axis=0)) for values in (measured.rise, measured.descent))
    shown = len(rise) // _LEFT_OUT
    return [(steps[start + place], float(-rise[place] / descent[place])) for place in range(shown, len(rise))]


def _as_csv(results: Results) -> str:
    """Every measurement."""
    lines: list[list[Any]] = [["variant", "seed", "step", *Measured._fields]]
    for variant, measured in results.measured.items():
        for place, seed in enumerate(results.experiment.seeds):
            series = zip(*(values[place] for values in measured), strict=True)
            lines += ([variant, seed, step, *values] for step, values in zip(results.steps, series, strict=True))
    return csv_text(lines)


def _data(results: Results) -> dict[str, Any]:
    experiment = results.experiment
    return {
        "title": experiment.title,
        "dynamics": experiment.dynamics.model_dump(),
        "seeds": experiment.seeds,
        "claims": [
            {**claim.model_dump(exclude_none=True), **finding._asdict()}
            for claim, finding in zip(experiment.claim, results.findings, strict=True)
        ],
        "variants": [
            {
                "variant": name,
                "windows": [window._asdict() for window in of_variant],
                "spending": results.spending[name]._asdict(),
            }
            for name, of_variant in results.windows.items()
        ],
        "notes": experiment.notes,
    }
