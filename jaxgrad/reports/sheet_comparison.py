"""Two results that are tables beside each other: on 80 columns what differs and where most, and all of it as data."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jaxgrad.reports.numbers import fixed
from jaxgrad.reports.screen import PlainTable
from jaxgrad.reports.sheets import Cell, Difference, Row, SheetPair, SheetsComparison

_SHOWN = 12  # of the values that differ
_NAMED = 3  # rows of one alone


def report(comparison: SheetsComparison) -> Iterator[RenderableType]:
    """What differs, table by table; of what is equal that it is."""
    one, other = comparison.files
    yield Text(f"A is {one}, B is {other}; ratios are B to A.\n", overflow="fold")
    if comparison.is_equal:
        rows = sum(pair.both for pair in comparison.pairs.values())
        yield Text(f"No difference: {rows:,} rows are equal, value by value.")
        return
    for letter, names in zip("AB", comparison.alone, strict=True):
        if names:
            yield Text(f"{letter} alone has {', '.join(names)}.")
    for name, pair in comparison.pairs.items():
        yield from _pair(name, pair)


def _pair(name: str, pair: SheetPair) -> Iterator[RenderableType]:
    title = f"{name}: " if name else ""
    if pair.is_equal:
        yield Text(f"{title}no difference in {pair.both:,} rows.\n")
        return
    one, other = pair.alone
    yield Text(f"{title}{pair.both:,} rows in both, {len(one):,} in A alone, {len(other):,} in B alone.")
    for letter, columns, rows in zip("AB", pair.columns_alone, pair.alone, strict=True):
        if columns:
            yield Text(f"{letter} alone has the columns {', '.join(columns)}.", overflow="fold")
        for row in rows[:_NAMED]:
            yield Text(f"  {letter} alone: {_named(pair.keys, row)}", overflow="fold")
        if len(rows) > _NAMED:
            yield Text(f"  and {len(rows) - _NAMED:,} more of {letter}; --json has all")
    yield Text("")
    if not pair.differences:
        if pair.both:
            yield Text("What both have is equal.\n")
        return
    if len(pair.common) > 1:
        yield _by_column(pair)
    yield _largest(pair)


def _by_column(pair: SheetPair) -> Table:
    table = PlainTable("Columns that differ")
    table.add_column("column", names=True)
    for header in ("rows that\ndiffer", "mean\nratio", "least", "greatest"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, some in _grouped(pair).items():
        ratios = [each.ratio for each in some if each.ratio is not None and each.ratio > 0]
        cells = _spread(ratios) if ratios else (None, None, None)
        table.add_row(name, f"{len(some):,}", *(fixed(cell, 3) for cell in cells))
    return table


def _largest(pair: SheetPair) -> Table:
    order = sorted(pair.differences, key=lambda each: -each.size)
    shown = f"{_SHOWN} of {len(order):,}, farthest apart first" if len(order) > _SHOWN else f"{len(order)}"
    table = PlainTable(f"Values that differ: {shown}")
    for name in pair.keys:
        table.add_column(name, names=True)
    many = len(pair.common) > 1
    if many:
        table.add_column("column", names=True)
    for header in ("A", "B", "ratio"):
        table.add_column(header, justify="right")
    for each in order[:_SHOWN]:
        where = [*map(_text, each.row), *([each.column] if many else [])]
        table.add_row(*where, *map(_text, each.values), fixed(each.ratio, 3))
    return table


def _grouped(pair: SheetPair) -> dict[str, list[Difference]]:
    groups: dict[str, list[Difference]] = {}
    for each in pair.differences:
        groups.setdefault(each.column, []).append(each)
    return groups


def _spread(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Geometric mean, least and greatest."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios)), min(ratios), max(ratios)


def _named(keys: Sequence[str], row: Row) -> str:
    return ", ".join(f"{key} {_text(cell)}" for key, cell in zip(keys, row, strict=True))


def _text(value: Cell) -> str:
    """Whole numbers with all digits: a difference may be in the last."""
    if value is None or value == "":
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else value


def as_dict(comparison: SheetsComparison) -> dict[str, Any]:
    """All of it as plain data, for JSON; no number is null."""
    return {
        "files": [str(file) for file in comparison.files],
        "equal": comparison.is_equal,
        "tables_alone": [list(names) for names in comparison.alone],
        "tables": {name: _data(pair) for name, pair in comparison.pairs.items()},
    }


def _data(pair: SheetPair) -> dict[str, Any]:
    return {
        "equal": pair.is_equal,
        "keys": list(pair.keys),
        "rows_in_both": pair.both,
        "rows_alone": [[dict(zip(pair.keys, map(_plain, row), strict=True)) for row in rows] for rows in pair.alone],
        "columns_alone": list(pair.columns_alone),
        "differences": [
            {
                "row": dict(zip(pair.keys, map(_plain, each.row), strict=True)),
                "column": each.column,
                "values": [_plain(value) for value in each.values],
                "ratio": _plain(each.ratio),
            }
            for each in pair.differences
        ],
    }


def _plain(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value
