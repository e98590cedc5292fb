"""A sweep's chunks, and what is gathered from their tables as they come: Pareto fronts, and some designs to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from jaxgrad.base.pareto import front
from jaxgrad.base.tabular import Columns
from jaxgrad.designs import sweep as engine
from jaxgrad.designs.schema import COLUMNS
from jaxgrad.designs.space import Chunk, chunks
from jaxgrad.designs.sweep import RESULTS, Table
from jaxgrad.studies.packed import PACKED
from jaxgrad.studies.work import Work

_UNLIMITED = ("cycles", "sram_accesses_words")  # of designs without a memory
DRAWN = 3000
"""Designs of a network and batch that are drawn, besides the Pareto-optimal ones."""
_LINE = "line"  # of the table of all designs


class SweepWork(Work[Chunk, Table]):
    """A sweep's chunks; the result of each is the table of its designs."""

    kind = "designs"
    codec = PACKED

    def planned(self) -> list[Chunk]:
        return chunks(self.sweep, self.file)

    def extent(self, part: Chunk) -> Chunk:
        return part

    def spec(self, part: Chunk) -> dict[str, Any]:
        return {
            "chunk": asdict(part),
            "machine": self.sweep.machine.model_dump(),
            "plans": self.sweep.search.plans,
            "technology": repr(self.technology),
        }

    def label(self, part: Chunk) -> str:
        return f"{part.network}, batch {part.batch}, {part.precision}"

    def size(self, part: Chunk) -> int:
        return part.points

    def run(self, part: Chunk) -> Table:
        """The results alone: the designs are the chunk's own."""
        table = engine.compute(part, self.sweep, self.gemms(part), self.technology)
        return {name: table[name] for name in RESULTS if name in table}

    def read(self, part: Chunk, kept: Table) -> Table:
        results = RESULTS if self.technology else RESULTS[:4] if self.sweep.has_memory else _UNLIMITED
        return part.designs() | {name: kept.get(name, [None] * part.points) for name in results}


def merged(tables: Iterable[Table]) -> Columns:
    """Tables one under the other."""
    table = Columns()
    for some in tables:
        for name, values in some.items():
            table.setdefault(name, []).extend(values)
    return table


@dataclass
class Gathered:
    """What is kept of a network's designs at one batch, of however many there are.

    Args:
        network, batch: whose.
        objectives: of the front, names in ``schema.OBJECTIVES``.
        most: designs that are drawn by chance, at most.
        count: how many designs have all objectives: those that every layer fits.
        total: how many designs there are.
        values: what each column of a design's parameters has been, of those counted.
    """

    network: str
    batch: int
    objectives: Sequence[str]
    most: int = DRAWN
    count: int = 0
    total: int = 0
    values: dict[str, set[Any]] = field(default_factory=dict)
    _front: Table = field(default_factory=dict)
    _drawn: Table = field(default_factory=dict)
    _lots: np.ndarray = field(default_factory=lambda: np.empty(0))
    _chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @property
    def front(self) -> Table:
        """The Pareto-optimal designs, the cheapest in the first objective first; equal ones are all there."""
        return _without_lines(self._front)

    @property
    def drawn(self) -> Table:
        """Some designs, up to ``most``, drawn by chance, each as likely as any other."""
        return _without_lines(self._drawn)

    @property
    def front_lines(self) -> list[int]:
        """Which lines of the table of all designs the Pareto-optimal ones are, from 1 on."""
        return self._front.get(_LINE, [])

    @property
    def drawn_lines(self) -> list[int]:
        """Likewise of those that are drawn."""
        return self._drawn.get(_LINE, [])

    def add(self, table: Table, lines: list[int]) -> None:
        """Takes in the next designs, in their order.

        The front of all is that of the fronts of parts together, and so is kept from part to part.

        Args:
            table: the designs.
            lines: which lines of the table of all designs they are.
        """
        costs = _costs(table, self.objectives)
        rows = np.flatnonzero(~np.isnan(costs).any(axis=1))
        self.count += len(rows)
        self.total += len(costs)
        for name in table:
            if name not in RESULTS:
                self.values.setdefault(name, set()).update(_picked(table[name], rows))
        table = {**table, _LINE: lines}
        # In the order of the sweep: among equal designs the front keeps it.
        self._front = merged([self._front, _taken(table, np.sort(front(costs)))])
        self._front = _taken(self._front, np.sort(front(_costs(self._front, self.objectives))))
        self._draw(table, rows)

    def _draw(self, table: Table, rows: np.ndarray) -> None:
        """Keeps those with the smallest of numbers drawn for all: which they are does not depend on the parts."""
        lots = self._chance.random(len(rows))
        if 0 < len(self._lots) == self.most:
            low = np.flatnonzero(lots < self._lots.max())
            rows, lots = rows[low], lots[low]
        lots, drawn = np.concatenate([self._lots, lots]), merged([self._drawn, _taken(table, rows)])
        least = np.sort(np.argsort(lots)[: self.most])
        self._drawn, self._lots = _taken(drawn, least), lots[least]

    def ordered(self) -> Gathered:
        """The same, the front in its order."""
        self._front = _taken(self._front, front(_costs(self._front, self.objectives)))
        return self


def gathered(tables: Iterable[Table], objectives: Sequence[str], most: int = DRAWN) -> list[Gathered]:
    """What is kept of the parts of a table, by network and batch.

    Args:
        tables: the parts, in their order.
        objectives: of ``schema.OBJECTIVES``.
        most: designs of each that are drawn by chance, at most.
    """
    found: dict[tuple[str, int], Gathered] = {}
    before = 0
    for table in tables:
        if not all(table.get(COLUMNS[name]) for name in objectives):
            continue  # of a search that looked at no design
        places = list(zip(table["network"], table["batch"], strict=True))
        for place in dict.fromkeys(places):
            rows = np.flatnonzero([each == place for each in places])
            some = table if len(rows) == len(places) else _taken(table, rows)
            lines = (before + 1 + rows).tolist()
            found.setdefault(place, Gathered(*place, objectives, most)).add(some, lines)
        before += len(places)
    return [each.ordered() for each in found.values()]


def passed_on(tables: Iterable[Table], put: Callable[[Table], None]) -> Iterator[Table]:
    """The same tables, each put into a file on its way."""
    for table in tables:
        put(table)
        yield table


def told_apart(found: Iterable[Gathered]) -> list[str]:
    """The columns of a design's parameters of which there are several values."""
    values: dict[str, set[Any]] = {}
    for each in found:
        for name, some in each.values.items():
            values.setdefault(name, set()).update(some)
    return [name for name, some in values.items() if len(some) > 1 and name not in ("network", "batch")]


def _costs(table: Table, objectives: Sequence[str]) -> np.ndarray:
    """What is to be small, [designs, objectives]; NaN is what there is not."""
    columns = [np.array([np.nan if v is None else v for v in table[COLUMNS[name]]], float) for name in objectives]
    return np.stack(columns, axis=1)


def _without_lines(table: Table) -> Table:
    return {name: values for name, values in table.items() if name != _LINE}


def _taken(table: Table, rows: np.ndarray) -> Table:
    return {name: _picked(values, rows) for name, values in table.items()}


def _picked(values: Sequence[Any], rows: np.ndarray) -> list[Any]:
    return [values[row] for row in rows.tolist()]
