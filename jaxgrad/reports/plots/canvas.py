"""What all plots share: scales of axes (linear or logarithmic), the legend, and the files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import whole
from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.numbers import tick
from jaxgrad.reports.style import DPI

_WIDE = 8  # three doublings, or almost a decade
_DECADES_FOR_ALL_TICKS = 2.5
_TITLE_CHARACTERS = 90
_LEGEND_CHARACTERS = 118  # side by side on a page
_SAMPLE_CHARACTERS = 7  # as wide as a sample and the space around it


def some(field: str, items: Iterable[Any]) -> None:
    """Refuses to draw nothing."""
    if not list(items):
        raise InputError(field, None, "give at least one to draw", problem="got none")


def is_wide(values: Iterable[float]) -> bool:
    """Whether positive values span a factor of eight or more, so that they want a logarithmic axis."""
    values = [value for value in values if value == value]
    return bool(values) and min(values) > 0 and max(values) >= _WIDE * min(values)


def scale(axis: Axis, values: Iterable[float]) -> None:
    """An axis for these values: logarithmic where they span a factor of eight or more, numbers with SI prefixes."""
    values = [value for value in values if value == value]
    if is_wide(values):
        axes = axis.axes
        (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
        few = max(values) < 10**_DECADES_FOR_ALL_TICKS * min(values)
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(nbins=7, integer=all(float(value).is_integer() for value in values)))
    axis.set_major_formatter(FuncFormatter(tick))


def legend(figure: Figure, handles: Mapping[str, Any], columns: int) -> None:
    """One legend below everything, of at most so many columns: fewer where they would not fit side by side."""
    labels = told_apart(list(handles), _LEGEND_CHARACTERS - _SAMPLE_CHARACTERS)
    fitting = (
        count
        for count in range(min(columns, len(labels)), 1, -1)
        if sum(max(map(len, column)) + _SAMPLE_CHARACTERS for column in np.array_split(labels, count))
        <= _LEGEND_CHARACTERS
    )
    drawn = figure.legend(
        list(handles.values()),
        [str(index) for index in range(len(labels))],  # a label that begins with _ would go missing
        loc="outside lower center",
        ncols=next(fitting, 1),
        frameon=False,
        fontsize=8,
        handlelength=2.2,
        handleheight=1.1,
    )
    for text, label in zip(drawn.get_texts(), labels, strict=True):
        text.set_text(label)


def wrapped(text: str, characters: int = _TITLE_CHARACTERS) -> str:
    """A text in lines of so many characters at most; by default as many as a page holds."""
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, characters))


def entitle(figure: Figure, title: str) -> None:
    """The title above everything."""
    figure.suptitle(wrapped(title), fontsize=10)


def save(figure: Figure, path: Path, title: str) -> list[Path]:
    """Writes ``path`` with .png and with .svg after it; the same figure gives the same bytes."""
    entitle(figure, title)
    files = [path.with_name(path.name + suffix) for suffix in (".png", ".svg")]
    with whole(files[0]) as partial:
        figure.savefig(partial, dpi=DPI)
    with matplotlib.rc_context({"svg.hashsalt": "jaxgrad"}), whole(files[1]) as partial:
        figure.savefig(partial, metadata={"Date": None})
    return files
