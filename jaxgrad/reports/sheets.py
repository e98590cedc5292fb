"""Tables as values, whatever file they were read from: what tells their rows apart, and how two of them differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from jaxgrad.base.errors import InputError

Cell = int | float | str | None
Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """A table.

    >>> Sheet(("network", "rows", "phase", "cycles"), [("lenet", 8, "dX", 5), ("lenet", 8, "dW", 5)]).keys
    ('phase',)

    Args:
        columns: their names; what a row is of comes before what was found of it.
        rows: as many cells each.
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell the rows apart: as many of the first as that takes, less those that are not needed."""
        first = (self.columns[:count] for count in range(1, len(self.columns) + 1))
        return fewest(next(columns for columns in first if self.tells_apart(columns)), self)

    def tells_apart(self, columns: Sequence[str]) -> bool:
        """Whether no two rows that are not the same are so in these columns."""
        return len(set(map(self.under(columns), self._rows))) == len(self._rows)

    @cached_property
    def _rows(self) -> set[Row]:
        return set(self.rows)

    def under(self, columns: Sequence[str]) -> Callable[[Row], Row]:
        """What takes these columns of a row."""
        places = [self.columns.index(name) for name in columns]
        return lambda row: tuple(row[place] for place in places)


def fewest(columns: Sequence[str], *sheets: Sheet) -> tuple[str, ...]:
    """Columns that tell the rows of sheets apart, without those that are not needed for it, the last ones first."""
    kept = list(columns)
    for column in reversed(columns):
        without = [other for other in kept if other != column]
        if without and all(sheet.tells_apart(without) for sheet in sheets):
            kept = without
    return tuple(kept)


class Difference(NamedTuple):
    """A value that differs.

    Args:
        row: cells of the key columns.
        column: whose value.
        values: of A and of B.
    """

    row: Row
    column: str
    values: tuple[Cell, Cell]

    @property
    def ratio(self) -> float | None:
        """Of B to A; None of texts, and where there is nothing to divide by."""
        one, other = self.values
        return other / one if isinstance(one, int | float) and isinstance(other, int | float) and one else None

    @property
    def size(self) -> float:
        """The farther apart, the larger: the logarithm of the ratio without its sign; without a ratio, infinite."""
        return abs(math.log(self.ratio)) if self.ratio and self.ratio > 0 else math.inf


@dataclass(frozen=True)
class SheetPair:
    """Two tables beside each other, row by row.

    Raises:
        InputError: by a key of ``B``, a column that tells rows of one apart is not in the other.
    """

    one: Sheet
    other: Sheet

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell the rows of both apart."""
        found = {*self.one.keys, *self.other.keys}
        for letter, sheet in (("A", self.one), ("B", self.other)):
            lacking = found.difference(sheet.columns)
            if lacking:
                problem = f"{letter} has no column {min(lacking)!r}, which tells rows of the other apart"
                raise InputError("B", None, "give two tables of one kind", problem=problem)
        return fewest([name for name in self.one.columns if name in found], self.one, self.other)

    @cached_property
    def _rows(self) -> tuple[Mapping[Row, Row], Mapping[Row, Row]]:
        one, other = ({sheet.under(self.keys)(row): row for row in sheet.rows} for sheet in (self.one, self.other))
        return one, other

    @property
    def common(self) -> list[str]:
        """The columns of both that are no keys."""
        return [name for name in self.one.columns if name in self.other.columns and name not in self.keys]

    @property
    def columns_alone(self) -> tuple[list[str], list[str]]:
        """The columns of A alone, and of B."""
        one, other = self.one.columns, self.other.columns
        return [name for name in one if name not in other], [name for name in other if name not in one]

    @property
    def both(self) -> int:
        """How many rows are in both."""
        return sum(row in self._rows[1] for row in self._rows[0])

    @property
    def alone(self) -> tuple[list[Row], list[Row]]:
        """The rows of A alone, and of B, by their keys."""
        one, other = self._rows
        return [row for row in one if row not in other], [row for row in other if row not in one]

    @cached_property
    def differences(self) -> list[Difference]:
        """Of rows and columns that are in both, row by row."""
        return list(self._differences())

    def _differences(self) -> Iterator[Difference]:
        one, other = self._rows
        takes_one, takes_other = self.one.under(self.common), self.other.under(self.common)
        for key, row in one.items():
            if key in other:
                for name, *values in zip(self.common, takes_one(row), takes_other(other[key]), strict=True):
                    if not _same(*values):
                        yield Difference(key, name, (values[0], values[1]))

    @property
    def is_equal(self) -> bool:
        return not any((*self.columns_alone, *self.alone, self.differences))


@dataclass(frozen=True)
class SheetsComparison:
    """Two results that are tables, beside each other.

    Args:
        files: where A and B are.
        pairs: by name, the tables that both have.
        alone: names of those of A alone, and of B.
    """

    files: tuple[Path, Path]
    pairs: Mapping[str, SheetPair]
    alone: tuple[Sequence[str], Sequence[str]]

    @classmethod
    def of(cls, files: tuple[Path, Path], one: Mapping[str, Sheet], other: Mapping[str, Sheet]) -> SheetsComparison:
        """Of the tables of each by name.

        Raises:
            InputError: two of one name are of different things.
        """
        pairs = {name: SheetPair(sheet, other[name]) for name, sheet in one.items() if name in other}
        for pair in pairs.values():
            _ = pair.keys  # what is refused is refused before anything is printed
        return cls(
            files, pairs, ([name for name in one if name not in other], [name for name in other if name not in one])
        )

    @property
    def is_equal(self) -> bool:
        return not any(self.alone) and all(pair.is_equal for pair in self.pairs.values())


def _same(one: Cell, other: Cell) -> bool:
    """Also two that are no numbers."""
    return one == other or (one != one and other != other)
