"""Tables of designs, as ``jaxgrad sweep`` and ``jaxgrad search`` write them, CSV or Parquet, read to be compared."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.reports.results import Curve, Figure

KIND = "a table of designs"
SUFFIXES = (".csv", ".parquet")
_FRONT = "_front"
_NEEDED = frozenset({"network", "rows", "cols", "schedule", "cycles"})
_RESULTS = (
    *("cycles", "stall_cycles", "sram_accesses_words", "dram_bytes", "energy_pj", "area_um2", "edp_js"),
    *("relaxed_cycles", "relaxed_energy_pj", "relaxed_edp_js"),
)
"""Columns that were computed; all others say which design a row is."""

_MOST = 2_000_000  # rows, which take some gigabytes

Columns = Mapping[str, Sequence[Any]]


def in_folder(folder: Path) -> list[Path]:
    """Tables in a folder, without the fronts that were taken from them."""
    files = [file for suffix in SUFFIXES for file in folder.glob(f"*{suffix}")]
    return [file for file in files if not file.name.startswith(".") and _FRONT not in file.stem]


def columns(field: str, file: Path) -> Columns:
    """The columns of a table.

    Args:
        field: what the user gave it as, for errors.
        file: the table.

    Raises:
        InputError: it can't be read, is no table of designs, or too long.
    """
    try:
        table = _parquet(field, file) if file.suffix == ".parquet" else _csv(file)
    except OSError as error:
        raise InputError(field, file, f"give a file that can be read ({error.strerror})") from None
    except (ValueError, csv.Error) as error:
        problem = f"got {str(file)!r}, which is no whole table ({' '.join(str(error).split())})"
        raise InputError(field, file, "write it anew", problem=problem) from None
    if not set(table) >= _NEEDED:
        problem = f"got {str(file)!r}, which is no table of designs"
        raise InputError(field, file, "give one that jaxgrad sweep or jaxgrad search wrote", problem=problem)
    length = len(table["cycles"])
    if length > _MOST:
        problem = f"got {str(file)!r}, with {length:,} designs"
        raise InputError(field, file, f"give tables of at most {_MOST:,}", problem=problem)
    return table


def varied(*tables: Columns) -> frozenset[str]:
    """What tells designs apart: columns in which those of one table at least are not all the same.

    >>> sorted(varied({"rows": ["4", "8"], "batch": ["2", "2"]}, {"rows": ["8"], "batch": ["16"]}))
    ['rows']
    """
    return frozenset(name for table in tables for name in table if name not in _RESULTS and len(set(table[name])) > 1)


def read(table: Columns, telling: Collection[str]) -> tuple[dict[str, Any], dict[str, Curve], dict[Figure, float]]:
    """A table's settings, curves (none) and figures: each result of each design.

    Args:
        table: it.
        telling: columns that name the designs; of all others, which are the same of all designs, each is a setting.
    """
    asked = [name for name in table if name not in _RESULTS]
    settings = {name: table[name][0] for name in asked if name not in telling and table[name]}
    met: Counter[str] = Counter()
    figures: dict[Figure, float] = {}
    results = [name for name in table if name in _RESULTS]
    for row in range(len(table["cycles"])):
        design = ", ".join(f"{name} {table[name][row]}" for name in asked if name in telling) or "the design"
        met[design] += 1
        label = design if met[design] == 1 else f"{design} #{met[design]}"
        for name in results:
            if table[name][row] is not None:
                figures[Figure(label, "", name)] = table[name][row]
    return settings, {}, figures


def _csv(file: Path) -> Columns:
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        names = next(reader, [])
        rows = list(reader)
    short = next((number for number, row in enumerate(rows, 2) if len(row) != len(names)), None)
    if short is not None:
        raise csv.Error(f"line {short} has not {len(names)} fields")
    return {name: [_value(name, row[index]) for row in rows] for index, name in enumerate(names)}


def _value(name: str, text: str) -> Any:
    if name not in _RESULTS:
        return text
    if not text:
        return None
    return _number(float(text) if any(letter in text for letter in ".en") else int(text))


def _number(value: float | None) -> float | None:
    """Without what is none: it equals nothing, not even itself."""
    return value if value is not None and math.isfinite(value) else None


def _parquet(field: str, file: Path) -> Columns:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise InputError(field, file, "give .csv, or pip install 'jaxgrad[parquet]' first") from None
    return {
        name: [_number(value) if name in _RESULTS else "" if value is None else str(value) for value in values]
        for name, values in parquet.read_table(file).to_pydict().items()
    }
