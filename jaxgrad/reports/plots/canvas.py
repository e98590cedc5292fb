"""What all plots share: scales of axes (linear or logarithmic), the legend, and the files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import whole
from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.numbers import tick
from jaxgrad.reports.pages import Page, families
from jaxgrad.reports.plots import svg
from jaxgrad.reports.style import SCREEN, FigureStyle

SUFFIXES = (".png", ".svg", ".pdf")
"""Of the files that a figure is written to."""
_DPI = 300  # of a PNG, and of what is no line or text in the others
_LINE = 1.35  # of the letters' size
_WIDE = 8  # three doublings, or almost a decade
_DECADES_FOR_ALL_TICKS = 2.5
_TITLE_CHARACTERS = 90
_LEGEND_CHARACTERS = 118  # side by side on a page
_SAMPLE_CHARACTERS = 7  # as wide as a sample and the space around it


def some(field: str, items: Iterable[Any]) -> None:
    """Refuses to draw nothing."""
    if not list(items):
        raise InputError(field, None, "give at least one to draw", problem="got none")


def style_of(axes: Axes) -> FigureStyle:
    """That of the figure that they are in."""
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Page)  # all figures are
    return figure.style


def dress(axes: Axes) -> None:
    """Small numbers beside the axes, a pale grid, and no frame but the axes."""
    axes.tick_params(labelsize=style_of(axes).tick_pt)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def label(axis: Axis, text: str, characters: int = _TITLE_CHARACTERS) -> None:
    """What an axis shows, in lines of so many characters on a screen's width; of a narrow figure names take a part."""
    style = style_of(axis.axes)
    room = style.characters(characters)
    axis.set_label_text(wrapped(text, room * 3 // 4 if style.is_narrow else room), fontsize=style.label_pt)


def is_wide(values: Iterable[float]) -> bool:
    """Whether positive values span a factor of eight or more, so that they want a logarithmic axis."""
    values = [value for value in values if value == value]
    return bool(values) and min(values) > 0 and max(values) >= _WIDE * min(values)


def scale(axis: Axis, values: Iterable[float]) -> None:
    """An axis for these values: logarithmic where they span a factor of eight or more, numbers with SI prefixes."""
    values = [value for value in values if value == value]
    axes = axis.axes
    style = style_of(axes) if axis is axes.xaxis else SCREEN
    if is_wide(values):
        (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
        few = max(values) < 10 ** (_DECADES_FOR_ALL_TICKS / (2 if style.is_narrow else 1)) * min(values)
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(
            MaxNLocator(nbins=style.ticks(7), integer=all(float(value).is_integer() for value in values))
        )
    axis.set_major_formatter(FuncFormatter(tick))


def legend(figure: Page, handles: Mapping[str, Any], columns: int) -> None:
    """One legend below everything, of at most so many columns: fewer where they would not fit side by side.

    Where the figure is so narrow that it takes more lines than on a screen, the figure grows by them.
    """
    style = figure.style
    labels, count = _laid_out(handles, columns, style)
    drawn = figure.legend(
        list(handles.values()),
        [str(index) for index in range(len(labels))],  # a label that begins with _ would go missing
        loc="outside lower center",
        ncols=count,
        frameon=False,
        fontsize=style.tick_pt,
        handlelength=2.2,
        handleheight=1.1,
    )
    for text, label in zip(drawn.get_texts(), labels, strict=True):
        text.set_text(label)
    _, on_a_screen = _laid_out(handles, columns, SCREEN)
    lines, expected = (-(-len(labels) // number) for number in (count, on_a_screen))
    wrapped_lines = sum(label.count("\n") for label in labels)
    figure.grow(_LINE * style.tick_pt / 72 * (lines + wrapped_lines - expected))


def _laid_out(handles: Mapping[str, Any], columns: int, style: FigureStyle) -> tuple[list[str], int]:
    """The labels, in lines where one is wider than the figure, and in how many columns they stand."""
    room = style.characters(_LEGEND_CHARACTERS)
    sample = _SAMPLE_CHARACTERS + 3 * style.serif  # it does not shrink as letters do
    line = room - sample
    labels = told_apart(list(handles), line if room == _LEGEND_CHARACTERS else 2 * line)
    labels = [wrapped(label, line) or label for label in labels]
    wide = [max(map(len, label.split("\n"))) for label in labels]
    fitting = (
        count
        for count in range(min(columns, len(labels)), 1, -1)
        if sum(max(column) + sample for column in np.array_split(wide, count)) <= room
    )
    return labels, next(fitting, 1)


def wrapped(text: str, characters: int = _TITLE_CHARACTERS) -> str:
    """A text in lines of so many characters at most; by default as many as a page holds."""
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, characters))


def entitle(figure: Page, title: str) -> None:
    """The title above everything, once, where the figure's style has one; a narrow figure grows by its lines."""
    style = figure.style
    if style.titled and not figure.get_suptitle():
        shown = wrapped(title, style.characters(_TITLE_CHARACTERS))
        figure.suptitle(shown, fontsize=style.title_pt)
        figure.grow(_LINE * style.title_pt / 72 * (shown.count("\n") - wrapped(title).count("\n")))


def save(figure: Page, path: Path, title: str) -> list[Path]:
    """Writes ``path`` with .png, .svg and .pdf after it; the same figure gives the same bytes.

    Texts of the SVG are texts, to be selected and found, which keep their widths in other fonts too. The PDF has its
    fonts in it, as TrueType.
    """
    entitle(figure, title)
    files = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    metadata: dict[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "jaxgrad", "pdf.fonttype": 42}):
        for file in files:
            with whole(file) as partial:
                figure.savefig(partial, dpi=_DPI, metadata=metadata[file.suffix])
                if file.suffix == ".svg":
                    fitted = svg.with_lengths(partial.read_text(encoding="utf-8"), families(serif=figure.style.serif))
                    partial.write_text(fitted, encoding="utf-8")
    return files
