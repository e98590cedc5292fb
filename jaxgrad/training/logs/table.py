"""The log as a table, metrics.csv: a line an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxgrad.base.csv_text import csv_text
from jaxgrad.base.files import write_text
from jaxgrad.base.tabular import of_rows
from jaxgrad.training.logs.base import Record

FILE = "metrics.csv"


class Table:
    """Written whole at each epoch, so that it is never half of one; a value that there is not is an empty cell.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._records: list[Record] = []

    def begin(self, records: Sequence[Record]) -> None:
        self._records = list(records)
        self._write()

    def add(self, record: Record) -> None:
        self._records.append(record)
        self._write()

    def close(self) -> None:
        pass

    def _write(self) -> None:
        columns = of_rows(self._records)
        write_text(self._file, csv_text([columns, *zip(*columns.values(), strict=True)]))
