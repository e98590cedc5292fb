"""An experiment's folder: results.csv, results.json, figures, tables and report.html."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from jaxgrad.base.files import write_text, write_texts
from jaxgrad.interop import accelergy
from jaxgrad.reports import html
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies import frame, sensitivity_tables, spreadsheets, tables
from jaxgrad.studies.against import Against
from jaxgrad.studies.compare import UNITS, Comparison, Row, unchanged
from jaxgrad.studies.figures import figures_of
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.sensitivity import Sensitivity, sensitivity


def write(
    folder: Path,
    experiment: Experiment,
    rows: Sequence[Row],
    comparisons: Sequence[Comparison],
    style: FigureStyle = SCREEN,
    against: Against | None = None,
) -> list[Path]:
    """Writes everything, each file whole or not at all; returns the files."""
    changes = sensitivity(experiment, rows)
    written = write_texts(
        folder,
        {
            "results.csv": spreadsheets.phases_csv(experiment, rows),
            "layers.csv": spreadsheets.layers_csv(experiment, rows),
            "results.json": json.dumps(
                _data(experiment, rows, comparisons) | (against.as_dict() if against else {}), indent=1
            ),
            **frame.table_texts(tables.screen(experiment, rows, comparisons, against, brief=False)),
            **(against.texts(folder) if against else {}),
        },
    )
    if changes:
        written.append(folder / "sensitivity.csv")
        write_text(written[-1], sensitivity_tables.as_csv(changes))
    written += _write_accelergy(folder / "accelergy", experiment, rows)
    figures: list[html.Figure] = []
    for figure in figures_of(experiment, rows, comparisons):
        drawn = figure.draw(folder / figure.name, style)
        written += drawn
        figures.append(html.Figure(next(path for path in drawn if path.suffix == ".svg"), figure.caption))
    if against and against.agreements:
        drawn = against.draw(folder / "measured", style)
        written += drawn
        figures.append(html.Figure(next(path for path in drawn if path.suffix == ".svg"), "Ours against measurements"))
    written.append(
        html.write(
            folder / "report.html",
            experiment.title,
            _sections(experiment, unchanged(rows), comparisons, figures, changes, against),
            written,
        )
    )
    return written


def _write_accelergy(folder: Path, experiment: Experiment, rows: Sequence[Row]) -> list[Path]:
    """Each variant's energy and area reference tables, where it has a technology; of a sweep, at its first point."""
    first = {row.point.variant: row for row in reversed(rows)}
    written: list[Path] = []
    for number, variant in enumerate(experiment.variant, start=1):
        row = first[variant.name]
        machine = row.point.machine
        texts = {}
        if machine.technology:
            texts["ERT"] = accelergy.write_ert(machine)
        if row.summary.area_um2:
            texts["ART"] = accelergy.write_art(machine, variant.schedule)
        for kind, text in texts.items():
            path = folder / f"{number}_{kind}.yaml"
            write_text(path, f"# {' '.join(f'{variant.name}: {experiment.title}'.split())}\n{text}")
            written.append(path)
    return written


def _sections(
    experiment: Experiment,
    rows: Sequence[Row],
    comparisons: Sequence[Comparison],
    figures: Sequence[html.Figure],
    changes: Sensitivity | None,
    against: Against | None = None,
) -> list[html.Section]:
    results = frame.html_table(
        tables.results(experiment, rows), f"{tables.part_title(experiment)}; ratios are over {experiment.baseline}."
    )
    shares = tables.phase_shares(experiment, rows)
    whole = tables.run_totals(experiment, rows)
    memories = tables.levels(experiment, rows)
    more = [(shares, "Share of the cycles by phase."), (memories, "Memories."), (whole, "The whole training run.")]
    sections = [
        frame.asked(experiment, tables.iso_areas(rows)),
        html.Section(
            "Results", tables=[results, *(frame.html_table(cells, caption) for cells, caption in more if cells)]
        ),
    ]
    if comparisons:
        sections.append(
            html.Section(
                "Published figures beside ours",
                paragraphs=[
                    "Ratios; a deviation is ours less the published one, in points of the baseline. "
                    + tables.fitted(experiment)
                ],
                tables=[frame.html_table(tables.published(comparisons), "")],
                notes=[f"{number} {text}" for number, text in tables.sources(comparisons).items()],
            )
        )
    sections += against.sections() if against else []
    if changes:
        sections.append(
            html.Section(
                "One assumption changed at a time",
                paragraphs=sensitivity_tables.said(changes),
                tables=[frame.html_table(sensitivity_tables.whole(changes), "All other assumptions are as written.")],
                notes=sensitivity_tables.notes(experiment),
            )
        )
    sections.append(html.Section("Figures", figures=figures))
    sections.append(frame.how_it_was_made(_technologies(experiment, rows)))
    return sections


def _technologies(experiment: Experiment, rows: Sequence[Row]) -> list[str]:
    """Where energies and areas are from."""
    used = dict.fromkeys(row.point.machine.technology for row in rows)
    table = experiment.machine.get("energy_table")
    return [f"Energies are those of the table {table}."] * (table is not None) + [
        f"{technology.name}: {technology.source}. {'; '.join(technology.assumptions)}."
        for technology in used
        if technology
    ]


def _data(experiment: Experiment, rows: Sequence[Row], comparisons: Sequence[Comparison]) -> dict:
    return {
        "title": experiment.title,
        "compare": experiment.compare,
        "baseline": experiment.baseline,
        "count_psum_reads": experiment.count_psum_reads,
        "found_by_search": experiment.found_by_search,
        "units": dict(UNITS),
        "points": [
            {
                "network": row.point.network,
                "at": dict(row.point.at),
                **({"change": row.point.change._asdict()} if row.point.change else {}),
                "variant": row.point.variant,
                "array": [row.point.machine.array.rows, row.point.machine.array.cols],
                "values": dict(row.values),
                "ratios": dict(row.ratios),
                "phases": [
                    {"phase": part.phase.label, "counts": spreadsheets.counted(part), "energy_pj": part.energy_pj}
                    for part in row.summary.phases
                ],
            }
            for row in rows
        ],
        "published": [
            {
                **comparison.published.model_dump(exclude_none=True),
                "place": comparison.network,
                "ours": comparison.ours,
                "deviation": comparison.deviation,
            }
            for comparison in comparisons
        ],
        "notes": experiment.notes,
    }
