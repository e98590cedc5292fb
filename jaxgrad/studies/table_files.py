"""Tables of designs in files, CSV or Parquet, written piece by piece: they may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

from jaxgrad.base.csv_text import csv_text
from jaxgrad.base.errors import InputError
from jaxgrad.base.files import check_folder, whole
from jaxgrad.designs.sweep import INTEGERS, RESULTS, Table

Put = Callable[[Table], None]
"""Writes the next rows."""

Opener = Callable[[], AbstractContextManager[Put]]
"""Opens a file, which is there, whole, when the block ends; if it ends early, what was there stays."""


def opener(path: Path) -> Opener:
    """What writes a table to a file of that name.

    Raises:
        InputError: neither CSV nor Parquet, or what Parquet needs is not installed, or its folder can't be written to.
    """
    if path.is_dir():
        raise InputError("--out", path, "give a file, there is a folder of that name")
    check_folder("--out", path.parent)
    if path.suffix == ".csv":
        return lambda: _csv(path)
    if path.suffix != ".parquet":
        raise InputError("--out", path, "give a file that ends in .csv or .parquet")
    try:
        import pyarrow.parquet  # noqa: F401  (is it there?)
    except ModuleNotFoundError:
        raise InputError("--out", path, "give .csv, or pip install 'jaxgrad[parquet]' first") from None
    return lambda: _parquet(path)


def write(path: Path, table: Table) -> Path:
    """Writes a table as CSV; None is an empty field."""
    with _csv(path) as put:
        put(table)
    return path


@contextmanager
def _csv(path: Path) -> Iterator[Put]:
    with whole(path) as partial:
        file: IO[str]
        with partial.open("w", encoding="utf-8", newline="") as file:
            headed = False

            def put(table: Table) -> None:
                nonlocal headed
                header = [] if headed else [table]
                headed = True
                file.write(csv_text([*header, *zip(*table.values(), strict=True)]))

            yield put


@contextmanager
def _parquet(path: Path) -> Iterator[Put]:
    """A row group for each piece."""
    from pyarrow import parquet

    with whole(path) as partial:
        writer: Any = None

        def put(table: Table) -> None:
            nonlocal writer
            piece = _arrow(path, table, None if writer is None else writer.schema)
            if writer is None:
                writer = parquet.ParquetWriter(partial, piece.schema)
            writer.write_table(piece, row_group_size=max(1, len(piece)))

        try:
            yield put
        finally:
            if writer is not None:
                writer.close()


def _arrow(path: Path, table: Table, schema: Any) -> Any:
    import pyarrow

    if schema is None:  # of a piece in which a result is nowhere, its type can't be told
        known = {name: pyarrow.int64() if name in INTEGERS else pyarrow.float64() for name in RESULTS}
        inferred = pyarrow.table({name: values for name, values in table.items() if name not in known}).schema
        schema = pyarrow.schema([(name, known.get(name) or inferred.field(name).type) for name in table])
    try:
        return pyarrow.Table.from_pydict(table, schema)
    except (OverflowError, pyarrow.ArrowInvalid):
        problem = f"got {str(path)!r} for a table with a count above 2^63, which Parquet's integers do not hold"
        raise InputError("--out", path, "give .csv", problem=problem) from None
