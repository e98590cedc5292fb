"""Runs a sweep: its chunks one after the other, those computed before taken from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from jaxgrad.base.pareto import front
from jaxgrad.base.tabular import Columns
from jaxgrad.designs import sweep as engine
from jaxgrad.designs.schema import COLUMNS
from jaxgrad.designs.space import Chunk, chunks
from jaxgrad.designs.sweep import Table
from jaxgrad.studies.work import Work


class SweepWork(Work[Chunk, Table]):
    """A sweep's chunks; the result of each is the table of its designs."""

    kind = "designs"

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

    def run(self, part: Chunk) -> Table:
        return engine.compute(part, self.sweep, self.gemms(part), self.technology)

    def read(self, kept: Table) -> Table:
        return kept


def merged(tables: Sequence[Table]) -> Columns:
    """Tables one under the other."""
    return Columns({name: [value for table in tables for value in table[name]] for name in tables[0]})


def fronts(table: Table, objectives: Sequence[str]) -> Iterator[tuple[str, int, list[int]]]:
    """For each network and batch the rows of its front."""
    names, batches = np.array(table["network"]), np.array(table["batch"])
    columns = [np.array([np.nan if v is None else v for v in table[COLUMNS[name]]], float) for name in objectives]
    costs = np.stack(columns, axis=1)
    for network, batch in dict.fromkeys(zip(table["network"], table["batch"], strict=True)):
        rows = np.flatnonzero((names == network) & (batches == batch))
        yield network, batch, rows[front(costs[rows])].tolist()
