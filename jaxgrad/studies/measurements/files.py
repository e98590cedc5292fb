"""Measurements in CSV files: a ``[[measured]]`` with a ``file`` stands for one of each of its lines.

The first line names the columns: keys of ``[[measured]]`` (``layer``, ``value``, ``unit``, ``std``, ...), and axes of
the sweep, by their names. ``samples`` are numbers with spaces between them. What a line leaves empty, or the file has
no column for, is as the table says.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import validated
from jaxgrad.studies.measurements.sections import MeasuredSection

_NUMBERS = ("value", "std", "ci95")
_SWITCHES = {"true": True, "false": False}


def expanded(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """An experiment's tree with the lines of CSV files in the place of the tables that name these.

    Args:
        tree: the content of its file.
        folder: of that, from which the files are seen.

    Raises:
        InputError: a file can't be read, or a line of it will not do; the message says which.
    """
    entries = tree.get("measured")
    if not isinstance(entries, list):
        return dict(tree)
    found: list[Any] = []
    for number, entry in enumerate(entries):
        if isinstance(entry, dict) and "file" in entry:
            rest = {key: value for key, value in entry.items() if key != "file"}
            found += _lines(entry["file"], rest, f"measured.{number}.file", folder, _axes(tree))
        else:
            found.append(entry)
    return {**tree, "measured": found}


def _axes(tree: Mapping[str, Any]) -> set[str]:
    sweep = tree.get("sweep")
    return {str(axis.get("name")) for axis in sweep if isinstance(axis, dict)} if isinstance(sweep, list) else set()


def _lines(name: Any, rest: Mapping[str, Any], field: str, folder: Path, axes: set[str]) -> Iterator[dict[str, Any]]:
    if not isinstance(name, str):
        raise InputError(field, name, "give the path of a CSV file")
    path = folder / name
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True, skipinitialspace=True)
        columns = reader.fieldnames or ()
        records = [(reader.line_num, record) for record in reader]
    except FileNotFoundError:
        raise InputError(field, path, "there is no such file") from None
    except OSError as error:
        raise InputError(field, path, f"give a file that can be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(field, path, f"give a CSV file in UTF-8 ({error})") from None
    keys = [key for key in MeasuredSection.model_fields if key not in ("at", "file")]
    for column in columns:
        if column not in keys and column not in axes:
            known = ", ".join([*keys, *sorted(axes)])
            raise InputError(field, path, f"choose columns of {known}", problem=f"got a column {column!r} in {path}")
    if not records:
        raise InputError(field, path, "give lines under the names of the columns", problem=f"got none in {path}")
    for line, record in records:
        try:
            measured = _measured(record, rest, axes)
            validated(MeasuredSection, measured)
        except InputError as error:
            raise error.within(f"{path}, line {line}") from None
        yield measured


def _measured(record: Mapping[str | None, Any], rest: Mapping[str, Any], axes: set[str]) -> dict[str, Any]:
    if None in record:
        raise InputError("line", record[None], "give no more than there are columns")
    said = {str(key): text.strip() for key, text in record.items() if text and text.strip()}
    at = {key: text for key, text in said.items() if key in axes}
    own = {key: _read(key, text) for key, text in said.items() if key not in axes}
    # What a line says of its value or error takes the place of what the table says of it.
    for alternatives in (("value", "samples"), ("std", "ci95", "samples")):
        if any(key in own for key in alternatives):
            rest = {key: value for key, value in rest.items() if key not in alternatives}
    whole = {**rest, **own}
    if at:
        whole["at"] = {**rest.get("at", {}), **at}
    return whole


def _read(key: str, text: str) -> Any:
    if key in _NUMBERS:
        return _number(key, text)
    if key == "samples":
        return [_number(key, part) for part in text.split()]
    return _SWITCHES.get(text, text) if key == "fit" else text


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(key, text, "give a number, or numbers with spaces between them in samples") from None
