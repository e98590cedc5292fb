"""An experiment on memory, its folder: results.csv, results.json, a figure, tables and report.html."""

from __future__ import annotations

import json
from pathlib import Path

from jaxgrad.base.files import write_texts
from jaxgrad.reports import html, plots
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies import frame
from jaxgrad.studies.memory import tables
from jaxgrad.studies.memory.tables import Results


def write(folder: Path, results: Results, style: FigureStyle = SCREEN) -> list[Path]:
    """Writes everything, each file whole or not at all; returns the files."""
    written = write_texts(
        folder,
        {
            "results.csv": tables.as_csv(results),
            "results.json": json.dumps(_data(results), indent=1),
            **frame.table_texts(tables.screen(results)),
        },
    )
    drawn = _draw(results, folder / "stored", style)
    figure = html.Figure(next(path for path in drawn if path.suffix == ".svg"), tables.TITLE)
    page = html.write(folder / "report.html", results.experiment.title, _sections(results, figure), written)
    return [*written, *drawn, page]


def _draw(results: Results, path: Path, style: FigureStyle) -> list[Path]:
    """Megabytes against the share, a line a network, and the published ones."""
    keeps = results.experiment.memory.keep
    lines = {name: [(k, size / 1e6) for k, size in zip(keeps, results.bytes(name), strict=True)]
             for name in results.stored}  # fmt: skip
    published = {name: list(zip(keeps, figures, strict=True)) for name, figures in results.published.items()}
    return plots.sweep(
        lines, path, tables.TITLE, x_label="share kept", y_label="stored [MB]", published=published, style=style
    )


def _sections(results: Results, figure: html.Figure) -> list[html.Section]:
    experiment = results.experiment
    sources = [f"{figures.network}: {figures.source}" for figures in experiment.published]
    said = [tables.MEANING, *([agreed] if (agreed := tables.agreement(results)) else [])]
    table = html.Table(tables.headers(results), list(tables.rows(results)), tables.TITLE)
    return [
        frame.asked(experiment),
        html.Section("Stored", said, [table], notes=sources),
        html.Section("Figures", figures=[figure]),
        frame.how_it_was_made(),
    ]


def _data(results: Results) -> dict:
    experiment = results.experiment
    return {
        **experiment.model_dump(exclude={"question"}),
        "networks": {
            name: {
                **stored._asdict(),
                "bytes": results.bytes(name),
                "bytes_on_the_array": results.on_the_array(name),
                **({"differences_mb": results.differences(name)} if name in results.published else {}),
            }
            for name, stored in results.stored.items()
        },
    }
