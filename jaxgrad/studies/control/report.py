"""An experiment with the control problem, on the screen and in its folder: loss against iterations by share kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from jaxgrad.autodiff.estimators.elementwise import kept
from jaxgrad.base.csv_text import csv_text
from jaxgrad.base.files import write_texts
from jaxgrad.reports import html, plots
from jaxgrad.reports.numbers import fixed, given, percent, scientific
from jaxgrad.reports.screen import PlainTable
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies import frame
from jaxgrad.studies.control.points import Descent, Point
from jaxgrad.studies.control.schema import ControlExperiment

_BYTES = 4  # of a word: the simulation is of fp32
_HEADERS = (
    *("keep", "values\na field", "kept\n[MB]", "saved", "measured\n[MB]"),
    *("loss\nfirst", "loss at\nhalf", "loss\nlast"),
)
_TITLE = "Each share kept"
_MEANING = (
    "kept: values between the passes, by their number; saved: against all of them; measured: the compiled gradient's "
    "temporary memory. A loss is the mean square by which phi misses the target, before the first, the middle and the "
    "last iteration; it is exact, whatever is kept. 1 MB is 10^6 bytes."
)


@dataclass(frozen=True)
class Results:
    """All that came out.

    Args:
        experiment: what was asked.
        descents: of each point, in the order of the file.
    """

    experiment: ControlExperiment
    descents: Sequence[tuple[Point, Descent]]

    @property
    def rows(self) -> list[list[str]]:
        """The table's: a row a share."""
        problem = self.experiment.control.problem
        whole = problem.kept_words(1.0)
        return [
            [
                given(point.keep),
                str(kept(problem.points**2, point.keep)),
                fixed(_BYTES * problem.kept_words(point.keep) / 1e6, 3),
                percent(whole - problem.kept_words(point.keep), whole, 1),
                fixed(None if descent.temporary_bytes is None else descent.temporary_bytes / 1e6, 3),
                *(scientific(descent.losses[place], 2) for place in (0, len(descent.losses) // 2, -1)),
            ]
            for point, descent in self.descents
        ]


def screen(results: Results) -> Group:
    """For the terminal."""
    table = PlainTable(_TITLE, gap=1)
    for header in _HEADERS:
        table.add_column(header, justify="right", no_wrap=True)
    for row in results.rows:
        table.add_row(*row)
    return frame.on_screen(results.experiment, [table, Text(_MEANING)])


def write(folder: Path, results: Results, style: FigureStyle = SCREEN) -> list[Path]:
    """Writes everything, each file whole or not at all; returns the files, the page last."""
    written = write_texts(
        folder,
        {
            "results.csv": _as_csv(results),
            "results.json": json.dumps(_data(results), indent=1),
            **frame.table_texts(screen(results)),
        },
    )
    figures = []
    for name, title, lines, y_label in _figures(results):
        drawn = plots.sweep(lines, folder / name, title, x_label="iteration", y_label=y_label, style=style)
        written += drawn
        figures.append(html.Figure(next(path for path in drawn if path.suffix == ".svg"), title))
    experiment = results.experiment
    headers = [text.replace("\n", " ") for text in _HEADERS]
    sections = [
        frame.asked(experiment),
        html.Section(_TITLE, [_MEANING], [html.Table(headers, results.rows, _TITLE)]),
        html.Section("Figures", figures=figures),
        frame.how_it_was_made(),
    ]
    return [*written, html.write(folder / "report.html", experiment.title, sections, written)]


def _figures(results: Results) -> Iterator[tuple[str, str, Mapping[str, plots.Samples], str]]:
    """File, title, lines and y axis: losses, and, since lines of unbiased gradients may lie on each other, their ratios
    to those with the largest share kept."""
    losses = {point.keep: descent.losses for point, descent in results.descents}
    lines = {f"keep {given(keep)}": list(enumerate(of_share, start=1)) for keep, of_share in losses.items()}
    yield "loss", "Loss against iterations", lines, "mean square missed"
    most = max(losses)
    ratios = {
        f"keep {given(keep)}": [
            (number, loss / whole)
            for number, (loss, whole) in enumerate(zip(of_share, losses[most], strict=True), start=1)
        ]
        for keep, of_share in losses.items()
        if keep != most and all(losses[most])
    }
    if ratios:
        yield "ratio", f"Loss over that with keep {given(most)}", ratios, "ratio of losses"


def _as_csv(results: Results) -> str:
    """The loss of every iteration, exact."""
    lines: list[tuple[Any, ...]] = [("keep", "iteration", "loss")]
    for point, descent in results.descents:
        lines += ((point.keep, number, loss) for number, loss in enumerate(descent.losses, start=1))
    return csv_text(lines)


def _data(results: Results) -> dict:
    problem = results.experiment.control.problem
    return {
        "title": results.experiment.title,
        "control": results.experiment.control.model_dump(),
        "descent": results.experiment.descent.model_dump(),
        "points": [
            {"keep": point.keep, "kept_words": problem.kept_words(point.keep), **asdict(descent)}
            for point, descent in results.descents
        ],
        "notes": results.experiment.notes,
    }
