"""A report as one self-contained HTML file: images inlined, no script, no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import write_text
from jaxgrad.reports import columns, numbers

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".gif": "image/gif"}
_NUMBER = re.compile(r"[-+±]?\s?\d[\d,.]*(e[-+]?\d+)?\s?[kMGTPEmunp]?[%x]?")
_NOTHING = ("", "-")
_WINDOW_PX = 1240.0  # what a window of 1280 leaves for a table
_CHARACTER_PX = 9.0  # of a wide font; a digit, or a letter in bold
_PADDING_PX = 14.4
_LONG_NAME = 16  # characters; a longer one may wrap

Cell = str | int | float | None
"""What a table shows: texts as they are, numbers written here, None as a dash."""


@dataclass(frozen=True)
class Table:
    """Rows of cells under headers, which say the unit; columns of numbers stand at the right.

    Raises:
        ValueError: a row is not as long as the headers.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.headers):
                raise InputError(
                    "rows",
                    len(row),
                    f"give {len(self.headers)}, one for each header",
                    problem=f"got {len(row)} cells in row {number}",
                )

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers and nothing else."""
        cells_of = [[numbers.cell(row[index]) for row in self.rows] for index in range(len(self.headers))]
        return [bool(cells) and all(_is_number(cell) for cell in cells) for cells in cells_of]

    @property
    def long(self) -> list[bool]:
        """Which columns hold names that wrap."""
        return [
            not numeric and any(len(str(row[index])) > _LONG_NAME for row in self.rows)
            for index, numeric in enumerate(self.numeric)
        ]

    @property
    def parts(self) -> list[list[int]]:
        """Which columns stand side by side, by index: all of them where a window of 1280 pixels has room for that."""
        widths = []
        for index, numeric in enumerate(self.numeric):
            words = max(map(len, self.headers[index].split()), default=0)
            cells = max((len(numbers.cell(row[index])) for row in self.rows), default=0)
            widths.append(max(words, cells if numeric else min(cells, _LONG_NAME)) * _CHARACTER_PX + _PADDING_PX)
        names = [index for index, numeric in enumerate(self.numeric) if not numeric]
        return columns.parts(widths, names, _WINDOW_PX, 0.0)


@dataclass(frozen=True)
class Figure:
    """A picture, as a file in SVG, PNG or GIF, and what it shows."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a report: under its heading the paragraphs, tables, figures, notes and sections, in this order."""

    heading: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)


def write(path: Path, title: str, sections: Sequence[Section]) -> Path:
    """Writes a report, whole or not at all; texts are shown as they are, markup among them as text.

    Args:
        path: of the HTML file; one that is there is replaced.
        title: of the report.
        sections: what it says, with figures that exist.

    Raises:
        ValueError: a picture that is not there or of another format.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["written"] = numbers.cell
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    images = {figure.path: _inlined(figure.path) for figure in _figures(sections)}
    text = template.render(title=title, sections=sections, images=images)
    return write_text(path, text)


def _is_number(text: str) -> bool:
    return text in _NOTHING or text in ("nan", "inf", "-inf") or _NUMBER.fullmatch(text) is not None


def _figures(sections: Sequence[Section]) -> Iterator[Figure]:
    for section in sections:
        yield from section.figures
        yield from _figures(section.sections)


def _inlined(path: Path) -> str:
    """An image as a data URL: within it, the names in one SVG do not meet those in another."""
    kind = _MEDIA.get(path.suffix.lower())
    if kind is None:
        raise InputError("figures", path, f"give a file in {', '.join(_MEDIA)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("figures", path, f"give a file that can be read ({error.strerror})") from None
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
