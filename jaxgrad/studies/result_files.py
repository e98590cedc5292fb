"""Results in files, as tables: designs as CSV or Parquet, what ``--json`` printed, and the folder of an experiment."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.reports.sheets import Cell, Sheet, SheetsComparison

_EXPERIMENT = ("results.csv", "results.json")
_LEAVES = ("value of", "value")


def is_experiment(path: Path) -> bool:
    """Whether it is the folder of ``jaxgrad run``, of whatever kind of experiment."""
    return all((path / name).is_file() for name in _EXPERIMENT)


def is_table(path: Path) -> bool:
    """Whether it is a file of that kind, by its name."""
    return path.is_file() and path.suffix in (".csv", ".parquet")


def is_document(path: Path) -> bool:
    """Whether it is a file of that kind, by its name."""
    return path.is_file() and path.suffix == ".json"


def experiments(one: Path, other: Path) -> SheetsComparison:
    """All CSV files of two experiments.

    Raises:
        InputError: one can't be read, or they are of different kinds.
    """
    sheets = ({file.name: read_table(file) for file in sorted(path.glob("*.csv"))} for path in (one, other))
    return SheetsComparison.of((one, other), *sheets)


def tables(one: Path, other: Path) -> SheetsComparison:
    """Two tables of designs, CSV or Parquet.

    Raises:
        InputError: one can't be read, or they are of different kinds.
    """
    return SheetsComparison.of((one, other), {"": read_table(one)}, {"": read_table(other)})


def documents(one: Path, other: Path) -> SheetsComparison:
    """Two that commands printed with ``--json``: of each key a table, of records or of values by their places.

    Raises:
        InputError: one can't be read, or they are of different commands.
    """
    trees = _document(one), _document(other)
    alone = [[key for key in tree if key not in than] for tree, than in (trees, reversed(trees))]
    if all(alone):
        problem = f"A has {alone[0][0]!r}, which B has not, and B {alone[1][0]!r}, which A has not"
        raise InputError("B", str(other), "give two that one command printed", problem=problem)
    # A list without records is a table in one and an empty leaf in the other.
    names = [key for key in trees[0] if any(_has_records(tree.get(key)) for tree in trees)]
    return SheetsComparison.of((one, other), *(_sheets(tree, names) for tree in trees))


def read_table(path: Path) -> Sheet:
    """A CSV or Parquet file.

    Raises:
        InputError: it can't be read, or has no rows.
    """
    sheet = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    if not sheet.columns or not sheet.rows:
        raise InputError(str(path), None, "give one that a command wrote", problem="has no rows")
    return sheet


def _csv(path: Path) -> Sheet:
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from None
    header, rows = tuple(lines[0]) if lines else (), lines[1:]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            problem = f"has {len(row)} values in line {number}, for {len(header)} columns"
            raise InputError(str(path), None, "give one that a command wrote", problem=problem)
    return Sheet(header, [tuple(map(_number, row)) for row in rows])


def _parquet(path: Path) -> Sheet:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise InputError("A", path, "give .csv, or pip install 'jaxgrad[parquet]' first") from None
    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from None
    columns = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
    return Sheet(tuple(table.column_names), list(zip(*columns, strict=True)))


def _document(path: Path) -> Mapping[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(tree, dict) or not tree or "traceEvents" in tree:
        what = "a trace to look at" if isinstance(tree, dict) and tree else "no object"
        raise InputError(str(path), None, "give what a command printed with --json", problem=f"is {what}")
    return tree


def _unreadable(path: Path, error: Exception) -> InputError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(str(path), None, "give one that a command wrote", problem=f"can't be read: {said}")


def _sheets(tree: Mapping[str, Any], records: list[str]) -> dict[str, Sheet]:
    alone = {key: value for key, value in tree.items() if key not in records and not isinstance(value, dict)}
    sheets = {"values": Sheet(_LEAVES, list(_leaves(alone, "")))} if alone else {}
    for name, value in tree.items():
        if isinstance(value, dict):
            sheets[name] = Sheet(_LEAVES, list(_leaves(value, "")))
        elif name in records and value:
            flat = [dict(_leaves(record, "")) for record in value]
            columns = tuple(dict.fromkeys(key for record in flat for key in record))
            sheets[name] = Sheet(columns, [tuple(record.get(column) for column in columns) for record in flat])
    return sheets


def _has_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(record, dict) and record for record in value)


def _leaves(tree: Any, place: str) -> Iterator[tuple[str, Cell]]:
    """Numbers and texts, each by the keys on the way to it; a list of them is a text, and what is empty too."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from _leaves(value, f"{place}.{key}" if place else str(key))
    elif isinstance(tree, list) and any(isinstance(value, dict | list) for value in tree):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{place}.{number}")
    else:
        yield place, json.dumps(tree) if isinstance(tree, dict | list) else _cell(tree)


def _cell(value: Any) -> Cell:
    """As CSV files have it: what is true or false is a text, what is not there None."""
    return value if value is None or (isinstance(value, int | float) and not isinstance(value, bool)) else str(value)


def _number(text: str) -> Cell:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text or None
