"""An experiment with pipelines, its folder: results.csv, results.json, figures, tables and report.html."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from jaxgrad.base.files import write_texts
from jaxgrad.reports import html, plots
from jaxgrad.reports.numbers import given
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies import frame
from jaxgrad.studies.pipelines import tables
from jaxgrad.studies.pipelines.compare import Ratios, Results
from jaxgrad.studies.published import deviation, numbered


def write(folder: Path, results: Results, style: FigureStyle = SCREEN) -> list[Path]:
    """Writes everything, each file whole or not at all; returns the files."""
    written = write_texts(
        folder,
        {
            "results.csv": tables.as_csv(results),
            "results.json": json.dumps(_data(results), indent=1),
            **frame.table_texts(tables.screen(results, brief=False)),
        },
    )
    figures: list[html.Figure] = []
    for number, ratios in enumerate(results.ratios, start=1):
        drawn = _draw(results, ratios, folder / f"ratios_{number}", style)
        written += drawn
        figures.append(html.Figure(next(path for path in drawn if path.suffix == ".svg"), ratios.title))
    page = html.write(folder / "report.html", results.experiment.title, _sections(results, figures), written)
    return [*written, page]


def _draw(results: Results, ratios: Ratios, path: Path, style: FigureStyle) -> list[Path]:
    """The ratio against the number of arrays, a line a network, and the published mean of all of these."""
    lines = {name: list(of_network.items()) for name, of_network in ratios.by_network.items()}
    counts = results.experiment.pipelines.processors
    if len(lines) > 1:
        lines[f"mean of {len(lines)} networks"] = [(count, ratios.mean(count)) for count in counts]
    means = [
        figure.ratio
        for figure in results.experiment.published
        if (figure.comparison, figure.statistic) == (ratios.name, "mean") and figure.ratio and not figure.processors
    ]
    levels = {f"mean, published ({given(ratio)})": ratio for ratio in means}
    return plots.sweep(
        lines, path, ratios.title, x_label="arrays", y_label="ratio of speeds", levels=levels, style=style
    )


def _sections(results: Results, figures: Sequence[html.Figure]) -> list[html.Section]:
    experiment = results.experiment
    compared = [tables.by_network(ratios) for ratios in results.ratios]
    sections = [
        frame.asked(experiment, tables.idle(results)),
        html.Section("Comparisons", [tables.MEANING], [_table(cells) for cells in (tables.means(results), *compared)]),
        html.Section("Words between arrays", [tables.WORDS_MEANING], [_table(tables.words(results))]),
        html.Section("Speed-up over one array", [tables.SPEEDUP_MEANING], [_table(tables.speedups(results))]),
    ]
    if experiment.published:
        notes = [f"{number} {text}" for number, text in numbered(experiment.published).items()]
        said = ["Nothing was fitted."]
        found = [_table(tables.published(results))]
        sections.insert(1, html.Section("Published figures beside ours", said, found, notes=notes))
    return [*sections, html.Section("Figures", figures=figures), frame.how_it_was_made()]


def _table(cells: tables.Cells) -> html.Table:
    return html.Table(cells.headers, cells.rows, cells.title)


def _numbers(ratios: Ratios) -> dict[str, dict[int, float | None]]:
    """Ratios as JSON has them: None where there is none."""
    return {
        name: {count: ratio if isfinite(ratio) else None for count, ratio in of_network.items()}
        for name, of_network in ratios.by_network.items()
    }


def _data(results: Results) -> dict:
    experiment = results.experiment
    return {
        "title": experiment.title,
        "batch": experiment.workload.batch,
        "array": [experiment.machine.rows, experiment.machine.cols],
        "variants": [variant.model_dump() for variant in experiment.variant],
        "points": [
            {"network": name, **sample._asdict(), "variant": experiment.variant[sample.variant].name}
            for name, samples in results.samples.items()
            for sample in samples
        ],
        "comparisons": [
            {
                "name": ratios.name,
                "variant": ratios.variant,
                "over": ratios.over,
                "ratios": ratios.by_network,
                "mean": ratios.overall,
                "words": _numbers(moved),
            }
            for ratios, moved in zip(results.ratios, results.words, strict=True)
        ],
        "published": [
            {
                **figure.model_dump(exclude_none=True),
                "ours": results.ours(figure),
                "deviation": deviation(figure, results.ours(figure)),
            }
            for figure in experiment.published
        ],
        "notes": experiment.notes,
    }
