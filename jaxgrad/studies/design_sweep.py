"""A sweep's chunks, and what is gathered from their tables as they come: Pareto fronts, and some designs to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from jaxgrad.base.pareto import front
from jaxgrad.designs import sweep as engine
from jaxgrad.designs.schema import COLUMNS
from jaxgrad.designs.space import Chunk, chunks
from jaxgrad.designs.sweep import RESULTS, Table
from jaxgrad.studies.packed import PACKED
from jaxgrad.studies.work import Work

_UNLIMITED = ("cycles", "sram_accesses_words")  # of designs without a memory
DRAWN = 3000
"""Designs of a network and batch that are drawn, besides the Pareto-optimal ones."""


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


def merged(tables: Iterable[Table]) -> Table:
    """Tables one under the other."""
    table: Table = {}
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
        count: how many designs have all of them: those that every layer fits.
        front: the Pareto-optimal designs, the cheapest in the first objective first; equal ones are all there.
        drawn: some, up to ``DRAWN``, drawn by chance, each as likely as any other.
        values: what each column of a design's parameters has been, of those counted.
    """

    network: str
    batch: int
    objectives: Sequence[str]
    count: int = 0
    front: Table = field(default_factory=dict)
    drawn: Table = field(default_factory=dict)
    values: dict[str, set[Any]] = field(default_factory=dict)
    _lots: np.ndarray = field(default_factory=lambda: np.empty(0))
    _chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def add(self, table: Table) -> None:
        """Takes in the next designs, in their order.

        The front of all is that of the fronts of parts together, and so is kept from part to part.
        """
        costs = _costs(table, self.objectives)
        rows = np.flatnonzero(~np.isnan(costs).any(axis=1))
        self.count += len(rows)
        for name in table:
            if name not in RESULTS:
                self.values.setdefault(name, set()).update(_picked(table[name], rows))
        # In the order of the sweep: among equal designs the front keeps it.
        self.front = merged([self.front, _taken(table, np.sort(front(costs)))])
        self.front = _taken(self.front, np.sort(front(_costs(self.front, self.objectives))))
        self._draw(table, rows)

    def _draw(self, table: Table, rows: np.ndarray) -> None:
        """Keeps those with the smallest of numbers drawn for all: which they are does not depend on the parts."""
        lots = self._chance.random(len(rows))
        if len(self._lots) == DRAWN:
            low = np.flatnonzero(lots < self._lots.max())
            rows, lots = rows[low], lots[low]
        lots, drawn = np.concatenate([self._lots, lots]), merged([self.drawn, _taken(table, rows)])
        least = np.sort(np.argsort(lots)[:DRAWN])
        self.drawn, self._lots = _taken(drawn, least), lots[least]

    def ordered(self) -> Gathered:
        """The same, the front in its order."""
        self.front = _taken(self.front, front(_costs(self.front, self.objectives)))
        return self


def gathered(tables: Iterable[Table], objectives: Sequence[str]) -> list[Gathered]:
    """What is kept of tables, each of one network and batch, by these."""
    found: dict[tuple[str, int], Gathered] = {}
    for table in tables:
        place = table["network"][0], table["batch"][0]
        found.setdefault(place, Gathered(*place, objectives)).add(table)
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


def fronts(table: Table, objectives: Sequence[str]) -> Iterator[tuple[str, int, list[int]]]:
    """For each network and batch the rows of its front."""
    names, batches, costs = np.array(table["network"]), np.array(table["batch"]), _costs(table, objectives)
    for network, batch in dict.fromkeys(zip(table["network"], table["batch"], strict=True)):
        rows = np.flatnonzero((names == network) & (batches == batch))
        yield network, batch, rows[front(costs[rows])].tolist()


def _costs(table: Table, objectives: Sequence[str]) -> np.ndarray:
    """What is to be small, [designs, objectives]; NaN is what there is not."""
    columns = [np.array([np.nan if v is None else v for v in table[COLUMNS[name]]], float) for name in objectives]
    return np.stack(columns, axis=1)


def _taken(table: Table, rows: np.ndarray) -> Table:
    return {name: _picked(values, rows) for name, values in table.items()}


def _picked(values: Sequence[Any], rows: np.ndarray) -> list[Any]:
    return [values[row] for row in rows.tolist()]
