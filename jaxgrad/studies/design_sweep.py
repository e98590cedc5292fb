"""Runs a sweep: its chunks one after the other, those that are known already taken from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.designs import sweep as engine
from jaxgrad.designs.pareto import front
from jaxgrad.designs.schema import COLUMNS, Sweep
from jaxgrad.designs.space import Chunk, chunks, technology
from jaxgrad.designs.sweep import Table
from jaxgrad.studies.compute import demand
from jaxgrad.studies.store import Store


class Work:
    """A sweep's chunks, checked: what can't be costed is refused before anything runs.

    Args:
        sweep: from ``file``.
        file: where it is from; paths in it are relative to its folder.
        store: where results are kept.

    Raises:
        ValueError: a network's counts could pass 64 bits, or a design can't be built.
    """

    def __init__(self, sweep: Sweep, file: Path, store: Store) -> None:
        self._sweep, self._store = sweep, store
        self._technology = technology(sweep, file.parent)
        self.chunks = chunks(sweep)
        for chunk in self.chunks:
            engine.check(chunk, sweep, self._gemms(chunk), self._technology)

    def is_done(self, chunk: Chunk) -> bool:
        return self._store.has("designs", self._spec(chunk))

    def compute(self, chunk: Chunk) -> Table:
        """A chunk's table, from the store if it is there."""
        return self._store.cached(
            "designs",
            self._spec(chunk),
            lambda: engine.compute(chunk, self._sweep, self._gemms(chunk), self._technology),
        )

    def _gemms(self, chunk: Chunk) -> list[Any]:
        return demand({**chunk.workload, "batch": chunk.batch, "vector": False}, self._store).gemms

    def _spec(self, chunk: Chunk) -> dict[str, Any]:
        return {
            "chunk": asdict(chunk),
            "machine": self._sweep.machine.model_dump(),
            "plans": self._sweep.search.plans,
            "technology": repr(self._technology),
        }


def merged(tables: Sequence[Table]) -> Table:
    """Tables one under the other."""
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def fronts(table: Table, objectives: Sequence[str]) -> Iterator[tuple[str, int, list[int]]]:
    """For each network and batch the rows of its front."""
    names, batches = np.array(table["network"]), np.array(table["batch"])
    columns = [np.array([np.nan if v is None else v for v in table[COLUMNS[name]]], float) for name in objectives]
    costs = np.stack(columns, axis=1)
    for network, batch in dict.fromkeys(zip(table["network"], table["batch"], strict=True)):
        own = np.flatnonzero((names == network) & (batches == batch))
        yield network, batch, own[front(costs[own])].tolist()
