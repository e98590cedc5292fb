"""An experiment that trains, its folder: results.csv, results.json, figures, tables and report.html."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.base.csv_text import csv_text
from jaxgrad.base.files import write_texts
from jaxgrad.reports import html, plots
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies import frame
from jaxgrad.studies.learning import tables
from jaxgrad.studies.learning.compare import Results, Row
from jaxgrad.studies.learning.outcomes import Measurement
from jaxgrad.studies.learning.schema import PublishedSection, Quantity


def write(folder: Path, results: Results, style: FigureStyle = SCREEN) -> list[Path]:
    """Writes everything, each file whole or not at all; returns the files."""
    written = write_texts(
        folder,
        {
            "results.csv": as_csv(results),
            "results.json": json.dumps(_data(results), indent=1),
            **frame.table_texts(tables.screen(results)),
        },
    )
    figures: list[html.Figure] = []
    for number, setting in enumerate(results.experiment.setting, start=1):
        rows = results.rows(setting.name)
        for caption, drawn in (
            ("training loss", _draw_losses(results, setting.name, rows, folder / f"loss_{number}", style)),
            ("test accuracy", _draw_accuracies(results, setting.name, rows, folder / f"accuracy_{number}", style)),
        ):
            written += drawn
            svg = [path for path in drawn if path.suffix == ".svg"]
            figures += [html.Figure(path, ": ".join(filter(None, (setting.name, caption)))) for path in svg]
    page = html.write(folder / "report.html", results.experiment.title, _sections(results, figures), written)
    return [*written, page]


def as_csv(results: Results) -> str:
    """Every run after each step that was measured; the array's counts, of the whole run, where it ended."""
    runs = [(cell, seed, outcome) for cell, by_seed in results.outcomes.items() for seed, outcome in by_seed.items()]
    names = list(dict.fromkeys(name for _, _, outcome in runs for name in outcome.counters))
    key = [results.experiment.tuned] if results.experiment.tuned else []
    header = ["variant", "setting", *key, "seed", *Measurement._fields, "diverged_at", "weight_words", *names]
    lines: list[list[Any]] = [header]
    for cell, seed, outcome in runs:
        place = [cell.variant, cell.setting, *([cell.value] if key else []), seed]
        for measured in outcome.measured:
            ends = measured.step == outcome.steps
            counts = [outcome.counters.get(name) if ends else None for name in names]
            lines.append([*place, *measured, outcome.diverged, outcome.weight_words, *counts])
        if outcome.diverged is not None:
            nothing = [None] * (len(Measurement._fields) - 1)
            lines.append(
                [*place, outcome.steps, *nothing, outcome.diverged, outcome.weight_words, *[None] * len(names)]
            )
    return csv_text(lines)


def _draw_losses(results: Results, setting: str, rows: Sequence[Row], path: Path, style: FigureStyle) -> list[Path]:
    """Training loss against steps, a line a variant; nothing where all runs diverged in their first epoch."""
    runs = {_name(row): [outcome.epochs for outcome in row.outcomes.values()] for row in rows}
    runs = {name: each for name, each in runs.items() if all(each)}
    stars = {
        _name(row): [
            (figure.step or next(iter(row.outcomes.values())).steps, figure.value)
            for figure in _figures(results, setting, row, "train_loss")
            if figure.value is not None
        ]
        for row in rows
    }
    if not runs:
        return []
    names = {row.cell.variant: _name(row) for row in rows}
    return plots.curves(
        runs,
        path,
        _title(results, setting, "training loss"),
        x_label="steps",
        y_label="loss, mean of an epoch's batches",
        published={name: samples for name, samples in stars.items() if samples},
        labels=[names.get(variant.name, variant.name) for variant in results.experiment.variant],
        style=style,
    )


def _draw_accuracies(results: Results, setting: str, rows: Sequence[Row], path: Path, style: FigureStyle) -> list[Path]:
    """Test accuracy at the end, a row a variant; nothing where all runs diverged."""
    values = {_name(row): [value for value in row.values("test_accuracy") if value is not None] for row in rows}
    stars = {
        _name(row): figure.value
        for row in rows
        for figure in _figures(results, setting, row, "test_accuracy")
        if figure.value is not None and figure.step is None
    }
    if not any(values.values()):
        return []
    return plots.spreads(
        values,
        path,
        _title(results, setting, "test accuracy after the last step"),
        x_label="test accuracy [%]",
        published=stars,
        nothing=tables.DIVERGED,
        style=style,
    )


def _figures(results: Results, setting: str, row: Row, quantity: Quantity) -> Iterator[PublishedSection]:
    """The published figures of a variant in a setting."""
    experiment = results.experiment
    for figure in experiment.published:
        if (figure.variant, figure.quantity) == (row.cell.variant, quantity) and experiment.setting_of(
            figure
        ) == setting:
            yield figure


def _name(row: Row) -> str:
    """A variant with the value that it takes."""
    return row.cell.variant if row.cell.value is None else f"{row.cell.variant} ({row.cell.value})"


def _title(results: Results, setting: str, text: str) -> str:
    return f"{results.experiment.title}: {', '.join(filter(None, (setting, text)))}"


def _sections(results: Results, figures: Sequence[html.Figure]) -> list[html.Section]:
    experiment = results.experiment
    sections = [
        frame.asked(experiment),
        html.Section(
            "What was learned",
            [tables.meaning(results)],
            [_table(cells) for cells in tables.learned(results)],
            notes=list(tables.remarks(results)),
        ),
    ]
    if experiment.published:
        notes = [f"{number} {text}" for number, text in tables.sources(results).items()]
        said = ["Accuracies: ours less the published one, in points. Losses: ours over the published one."]
        sections.append(
            html.Section("Published figures beside ours", said, [_table(tables.published(results))], notes=notes)
        )
    if experiment.tune:
        sections.append(html.Section("Tuning", tables=[_table(tables.tuning(results))]))
    return [*sections, html.Section("Figures", figures=figures), frame.how_it_was_made()]


def _table(cells: tables.Cells) -> html.Table:
    return html.Table(cells.headers, cells.rows, cells.title)


def _data(results: Results) -> dict[str, Any]:
    experiment = results.experiment
    taken = [row for setting in experiment.setting for row in results.rows(setting.name)]
    return {
        "title": experiment.title,
        "baseline": experiment.baseline,
        "tuned": experiment.tuned,
        "variants": [
            {
                "variant": row.cell.variant,
                "setting": row.cell.setting,
                "value": row.cell.value,
                "at_edge": row.at_edge,
                "cycles": row.cycles,
                "weight_words": row.weight_words,
                "measured": [
                    {
                        "step": step,
                        "train_loss": row.spread("train_loss", step)._asdict(),
                        "test_accuracy": row.spread("test_accuracy", step)._asdict(),
                        "over_baseline": row.less(results.baseline(row.cell.setting), step)._asdict(),
                    }
                    for step in [*sorted(experiment.at_steps), None]
                ],
            }
            for row in taken
        ],
        "runs": [
            {
                **cell._asdict(),
                "seed": seed,
                "diverged": outcome.diverged,
                "measured": [measured._asdict() for measured in outcome.measured],
                "epochs": [{"step": step, "loss": loss} for step, loss in outcome.epochs],
                "counters": outcome.counters,
            }
            for cell, by_seed in results.outcomes.items()
            for seed, outcome in by_seed.items()
        ],
        "published": [
            {**figure.model_dump(exclude_none=True), "ours": results.ours(figure)._asdict()}
            for figure in experiment.published
        ],
        "notes": experiment.notes,
    }
