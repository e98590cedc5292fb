"""Tables for programs and papers: CSV with whole numbers, Markdown, and LaTeX with booktabs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group

from jaxgrad.base.csv_text import csv_text
from jaxgrad.base.errors import one_of
from jaxgrad.base.files import write_text
from jaxgrad.reports.numbers import Written
from jaxgrad.reports.screen import PlainTable

FORMATS = ("csv", "md", "tex")
_NOTHING = "-"
_TEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedblright{}", "\u2026": r"\ldots{}",
    "\u00b1": r"$\pm$", "\u00d7": r"$\times$", "\u00b5": r"$\mu$",
    "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
}  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_<#|~]|(?<=\])\()")


class _Flat(NamedTuple):
    """A table as files have it: one line a header, and the unit there that all of its cells have."""

    title: str
    headers: list[str]
    units: list[str]
    numeric: list[bool]
    sections: list[list[Sequence[str]]]


def tables_in(shown: Any) -> Iterator[PlainTable]:
    """The tables of what the terminal shows, in their order; of anything else nothing."""
    if isinstance(shown, PlainTable):
        yield shown
    elif isinstance(shown, Group):
        for part in shown.renderables:
            yield from tables_in(part)
    elif isinstance(shown, Iterable) and not isinstance(shown, str):
        for part in shown:
            yield from tables_in(part)


def text(shown: Any, form: str) -> str:
    """All tables of what the terminal shows, one after another with an empty line between.

    CSV has every number with all its digits and each row with all its names, and no titles. Markdown and LaTeX have the
    texts of the terminal, a title above each table.

    Args:
        shown: a table, or several in rich's groups or in a sequence.
        form: one of ``FORMATS``.

    Raises:
        InputError: there is no such format.

    >>> table = PlainTable("Two layers")
    >>> table.add_column("layer", names=True)
    >>> table.add_column("cycles", justify="right")
    >>> table.add_row("conv_1", Written("1.23k", 1234))
    >>> print(text(table, "csv"), end="")
    layer,cycles
    conv_1,1234
    >>> print(text(table, "md"), end="")
    **Two layers**
    <BLANKLINE>
    | layer | cycles |
    | --- | ---: |
    | conv\\_1 | 1.23k |
    """
    write = {"csv": _csv, "md": _markdown, "tex": _latex}[one_of("format", form, FORMATS)]
    return "\n".join(write(table) for table in tables_in(shown))


def write(path: Path, shown: Any, forms: Sequence[str] = FORMATS) -> list[Path]:
    """Writes the tables into a file of each format.

    Args:
        path: of the files, without their suffixes.
        shown: see ``text``.
        forms: of ``FORMATS``.
    """
    return [write_text(path.with_name(f"{path.name}.{form}"), text(shown, form)) for form in forms]


def _flat(table: PlainTable) -> _Flat:
    headers, units = [], []
    for index, column in enumerate(table.added):
        header = column.full.replace("-\n", "-").replace("\n", " ")
        cells = [row[index] for rows in table.sections for row in rows]
        found = {cell.unit for cell in cells if isinstance(cell, Written) and cell.value is not None}
        units.append(found.pop() if len(found) == 1 else "")
        headers.append(f"{header} [{units[-1]}]".strip() if units[-1] else header)
    return _Flat(table.name, headers, units, [column.is_numeric for column in table.added], table.sections)


def _csv(table: PlainTable) -> str:
    flat = _flat(table)
    lines: list[Iterable[Any]] = [flat.headers]
    above: list[Any] = [""] * len(flat.headers)
    for row in (row for rows in flat.sections for row in rows):
        values = [_value(cell) for cell in row]
        above = [
            over if column.names and value == "" else value
            for column, value, over in zip(table.added, values, above, strict=True)
        ]
        lines.append(above)
    return csv_text(lines)


def _value(cell: str) -> Any:
    if isinstance(cell, Written) and cell.value is not None:
        return cell.value
    return "" if cell == _NOTHING else str(cell)


def _rows(flat: _Flat, written: Callable[[str, str], str]) -> Iterator[Iterator[Iterator[str]]]:
    """The cells of each section's rows, each written from its text and the unit that its header has."""
    for rows in flat.sections:
        yield (map(written, row, flat.units) for row in rows)


def _markdown(table: PlainTable) -> str:
    flat = _flat(table)

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |\n"

    def plain(cell: str, unit: str = "") -> str:
        return _MARKDOWN.sub(r"\\\1", cell.removesuffix(unit).replace("\n", " "))

    rows = "".join(map(line, chain.from_iterable(_rows(flat, plain))))
    rule = line("---:" if numeric else "---" for numeric in flat.numeric)
    return f"**{plain(flat.title)}**\n\n{line(map(plain, flat.headers))}{rule}{rows}"


def _latex(table: PlainTable) -> str:
    flat = _flat(table)

    def line(cells: Iterable[str]) -> str:
        shown = " & ".join(cells)
        if shown[:1] in ("[", "*"):  # no option of the command before it
            shown = f"{{{shown[0]}}}{shown[1:]}"
        return f"    {shown} \\\\\n"

    def plain(cell: str, unit: str = "") -> str:
        shown = cell.removesuffix(unit).replace("\n", " ")
        if isinstance(cell, Written) and shown[:1] in ("-", "+") and len(shown) > 1:
            return f"${shown[0]}${_escaped(shown[1:])}"  # a sign, not a hyphen
        return _escaped(shown)

    bodies = "    \\midrule\n".join("".join(map(line, rows)) for rows in _rows(flat, plain))
    columns = "".join("r" if numeric else "l" for numeric in flat.numeric)
    return (
        "% \\usepackage{booktabs}\n"
        "\\begin{table}\n"
        "  \\centering\n"
        f"  \\caption{{{_escaped(flat.title)}}}\n"
        f"  \\begin{{tabular}}{{{columns}}}\n"
        "    \\toprule\n"
        f"{line(map(plain, flat.headers))}"
        "    \\midrule\n"
        f"{bodies}"
        "    \\bottomrule\n"
        "  \\end{tabular}\n"
        "\\end{table}\n"
    )


def _escaped(text: str) -> str:
    """In any of LaTeX's encodings; hyphens make no dashes."""
    return re.sub("-(?=-)", "-{}", "".join(_TEX.get(letter, letter) for letter in text))
