"""A report as one self-contained HTML file: images inlined, no network; it reads without its script too."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import jinja2

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import write_text
from jaxgrad.reports import columns, numbers

_TEMPLATE, _SCRIPT = (Path(__file__).with_name(name) for name in ("report.html.jinja", "tables.js"))
_MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".gif": "image/gif"}
_NUMBER = re.compile(r"([-+±]?)\s?(\d[\d,.]*(?:e[-+]?\d+)?)\s?([kMGTPEmunp]?)[%x]?")
_PREFIXES = dict(zip("pnumkMGTPE", (-12, -9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True))
_NOTHING = ("", "-", "nan")
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
    def again(self) -> list[list[str]]:
        """For each row the names that its first cells leave out, those of the rows above: it may stand elsewhere."""
        found: list[list[str]] = []
        above: Sequence[Cell] = ()
        for row in self.rows:
            blank = next((index for index, cell in enumerate(row) if cell != ""), len(row))
            names = [str(cell) for cell in above[:blank]]
            found.append(names)
            above = [*names, *row[len(names) :]]
        return found

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
class Widget:
    """What scripts make: HTML as it is, and the scripts, in their order."""

    markup: str
    scripts: Sequence[str]


@dataclass(frozen=True)
class Section:
    """A part of a report: under its heading all it has, in this order."""

    heading: str
    paragraphs: Sequence[str] = ()
    widgets: Sequence[Widget] = field(default=(), kw_only=True)
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)


def write(path: Path, title: str, sections: Sequence[Section], data: Sequence[Path] = ()) -> Path:
    """Writes a report, whole or not at all; texts are shown as they are, markup among them as text.

    Args:
        path: of the HTML file; one that is there is replaced.
        title: of the report.
        sections: what it says, with figures that exist.
        data: files with what it shows, which it links to; those of a figure's name stand under it.

    Raises:
        InputError: a picture that is not there or of another format; a file of data that is not there.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"written": numbers.cell, "value": value}
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    figures = list(_figures(sections))
    images = {figure.path: _inlined(figure.path) for figure in figures}
    links = {figure.path: _links(sorted(_of_its_name(figure.path)), path.parent) for figure in figures}
    drawn = {file for figure in figures for file in _of_its_name(figure.path)}
    made = [script for widget in _widgets(sections) for script in widget.scripts]
    scripts = list(dict.fromkeys([_SCRIPT.read_text(encoding="utf-8"), *made]))
    text = template.render(
        title=title,
        sections=sections,
        images=images,
        links=links,
        data=_links([file for file in data if file not in drawn], path.parent),
        scripts=scripts,
        # The browser runs these alone; what widgets are made with compiles expressions.
        allowed=[*(f"'sha256-{_digest(script)}'" for script in scripts), *(["'unsafe-eval'"] if made else [])],
    )
    return write_text(path, text)


def value(cell: Cell) -> float | None:
    """What a cell in a column of numbers is sorted by, exact where the cell is; None where there is none.

    >>> value("1.23M"), value("-3 %"), value("1,234"), value(0.5), value("-")
    (1230000.0, -3.0, 1234.0, 0.5, None)
    """
    if isinstance(cell, int | float):
        return None if cell != cell else cell  # NaN is none
    found = _NUMBER.fullmatch(cell or "")
    if found is None:
        return float(cell) if cell in ("inf", "-inf") else None
    sign, digits, prefix = found.groups()
    size = float(f"{digits.replace(',', '')}") * 10.0 ** _PREFIXES.get(prefix, 0)
    return -size if sign == "-" else size


def _is_number(text: str) -> bool:
    return text in _NOTHING or value(text) is not None


def _of_its_name(figure: Path) -> list[Path]:
    """A figure's files: it in every format, and data of the same name."""
    return [file for file in figure.parent.iterdir() if file.stem == figure.stem and not file.name.startswith(".")]


def _links(files: Sequence[Path], folder: Path) -> list[tuple[str, str]]:
    """The names of files as seen from a folder, and their addresses there."""
    found = []
    for file in files:
        if not file.is_file():
            raise InputError("data", file, "give files that are there")
        name = Path(os.path.relpath(file, folder)).as_posix()
        found.append((name, quote(name)))
    return found


def _figures(sections: Sequence[Section]) -> Iterator[Figure]:
    for section in sections:
        yield from section.figures
        yield from _figures(section.sections)


def _widgets(sections: Sequence[Section]) -> Iterator[Widget]:
    for section in sections:
        yield from section.widgets
        yield from _widgets(section.sections)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


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
