"""What the report of an experiment has, whatever its kind: on the screen, in its folder and on its page."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import jax
from rich.console import Group, RenderableType
from rich.text import Text

import jaxgrad
from jaxgrad.reports import html, screen, tabular
from jaxgrad.reports.screen import PlainTable
from jaxgrad.studies.store import fingerprint

_FILE_WIDTH = 180


class Experiment(Protocol):
    """What it is, what it asks, and what it assumes."""

    @property
    def title(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def notes(self) -> Sequence[str]: ...


def on_screen(experiment: Experiment, parts: Iterable[RenderableType]) -> Group:
    """The results of an experiment for the terminal, between its question and its assumptions."""
    shown: list[RenderableType] = [Text(experiment.title, style="bold")]
    if experiment.question:
        shown.append(Text(experiment.question))
    shown += ["", *parts]
    if experiment.notes:
        shown += ["", "Assumptions:", *(Text(f"- {note}") for note in experiment.notes)]
    return Group(*shown)


def table(title: str, headers: Iterable[str], names: Collection[str]) -> PlainTable:
    """A table without rows, whose columns under ``names`` say what a row is of."""
    empty = PlainTable(title)
    for header in headers:
        if header in names:
            empty.add_column(header, names=True)
        else:
            empty.add_column(header, justify="right", no_wrap=True)
    return empty


def html_table(cells: tuple[Sequence[str], Sequence[Sequence[str]]], caption: str = "") -> html.Table:
    """Headers and rows for a page, the headers each on one line."""
    headers, lines = cells
    return html.Table([header.replace("\n", " ") for header in headers], lines, caption)


def table_texts(shown: RenderableType) -> dict[str, str]:
    """All tables of a report by file: as the terminal shows them, as Markdown, and as LaTeX."""
    return {"tables.txt": as_text(shown), **{f"tables.{form}": tabular.text(shown, form) for form in ("md", "tex")}}


def as_text(shown: RenderableType) -> str:
    """What the terminal would show, for a file: wide, without colours."""
    console = screen.console(file=io.StringIO(), width=_FILE_WIDTH, no_color=True)
    with console.capture() as text:
        console.print(shown)
    return text.get()


def asked(experiment: Experiment, notes: Iterable[str] = ()) -> html.Section:
    """The first section of a report: the question and the assumptions, ``notes`` after them."""
    paragraphs = [experiment.question] if experiment.question else []
    return html.Section("Question and assumptions", paragraphs=paragraphs, notes=[*experiment.notes, *notes])


def how_it_was_made(notes: Sequence[str] = ()) -> html.Section:
    """The last section of a report: the code that made it."""
    made = f"jaxgrad {jaxgrad.__version__} (code {fingerprint()}), jax {jax.__version__}."
    return html.Section("How it was made", paragraphs=[made], notes=notes)
