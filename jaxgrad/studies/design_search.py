"""Runs a search of a design space: a task for each network, batch and kind of design; finished ones are kept.

A task is done by descents, or by costing every design of its kind, which ``strategy`` chooses between.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.designs import search
from jaxgrad.designs.effort import Effort, effort
from jaxgrad.designs.goal import within_limits
from jaxgrad.designs.schema import COLUMNS, Sweep
from jaxgrad.designs.search import Found, Sought
from jaxgrad.designs.space import Chunk, Kind, kinds, name_of, workloads
from jaxgrad.designs.sweep import RESULTS, Table
from jaxgrad.hardware import Technology
from jaxgrad.studies.work import Work

WITHIN = 1.01
"""A descent has found the best if its end costs at most so many times as much."""

METHODS: tuple[str, ...] = ("auto", "descents", "every")
"""How a space is searched: by descents, by costing every design, or by what is estimated to take less."""


class Task(NamedTuple):
    """One search."""

    workload: dict[str, Any]
    batch: int
    kind: Kind

    @property
    def network(self) -> str:
        """The network's name, or the layer's sizes."""
        return name_of(self.workload)

    def chunk(self, sweep: Sweep, designs: Sequence[Sequence[Any]]) -> Chunk:
        """Arrays and memories of some designs, each with each."""
        arrays = tuple((design[0], design[1]) for design in designs)
        kib, rates = (tuple(dict.fromkeys(design[index] for design in designs if len(design) > 2)) for index in (2, 3))
        kind = self.kind
        return Chunk(
            self.workload, self.batch, kind.precision, kind.double_buffered, arrays, kib, rates, (kind.schedule,),
            (kind.order,),
        )  # fmt: skip


class Outcome(NamedTuple):
    """What came of a search; numbers and lists alone, so that it can be kept.

    Args:
        designs: every design that was costed exactly and is within the limits: its sizes, its results and, of descents,
            its ``relaxed`` objective.
        best: the row of the best one, if any will do.
        ends: for each descent the row of the best design at its end, if any there will do.
        losses: for each descent the logarithm of the relaxed objective before each step, limits' share included.
    """

    designs: Table
    best: int | None
    ends: list[int | None]
    losses: list[list[float]]

    def found_it(self, column: str) -> float:
        """The share of descents that ended at the best of all, or within 1 % of it."""
        if self.best is None:
            return 0.0
        costs = self.designs[column]
        good = [end for end in self.ends if end is not None and costs[end] <= WITHIN * costs[self.best]]
        return len(good) / len(self.ends)

    def gaps(self, column: str) -> list[float]:
        """By how much the relaxed objective is off at each design that fits, without sign, as ratios."""
        relaxed = self.designs.get("relaxed", [])
        pairs = zip(relaxed, self.designs.get(column, []) if relaxed else [], strict=True)
        return [abs(about / cost - 1) for about, cost in pairs if cost is not None]


class SearchWork(Work[Task, Outcome]):
    """A search's tasks."""

    kind = "searches"

    def planned(self) -> list[Task]:
        return tasks(self.sweep, self.file)

    def extent(self, part: Task) -> Chunk:
        return part.chunk(self.sweep, [tuple(pick(axis) for axis in self.sweep.axes.values()) for pick in (min, max)])

    def spec(self, part: Task) -> dict[str, Any]:
        return {
            "task": [part.workload, part.batch, part.kind],
            "sweep": self.sweep.model_dump(include={"space", "machine", "search", "descent"}),
            "technology": repr(self.technology),
        }

    def label(self, part: Task) -> str:
        return f"{part.network}, batch {part.batch}, {part.kind.schedule}"

    def run(self, part: Task) -> dict[str, Any]:
        sought = Sought(part.kind, part.workload, part.batch, self.sweep, self.gemms(part), self.technology)
        return outcome(search.search(sought), self.sweep)._asdict()

    def read(self, part: Task, kept: dict[str, Any]) -> Outcome:
        return Outcome(**kept)


def tasks(sweep: Sweep, file: Path = Path()) -> list[Task]:
    """A search for each network, batch and kind of design; arguments and errors as of ``designs.space.workloads``."""
    return [Task(workload, batch, kind) for workload, batch in workloads(sweep, file) for kind in kinds(sweep)]


def outcome(found: Found, sweep: Sweep) -> Outcome:
    """What a search found, as tables."""
    row = {design: index for index, design in enumerate(found.costs)}
    columns: Table = {name: [design[at] for design in row] for at, name in enumerate(sweep.axes)}
    for cost in found.costs.values():
        for name, value in cost.items():
            columns.setdefault(name, []).append(value)
    columns["relaxed"] = [found.relaxed[design] for design in row]
    return Outcome(
        columns,
        None if found.best is None else row[found.best],
        [None if end is None else row[end] for end in found.ends],
        found.descent.losses.tolist(),
    )


class Truth(NamedTuple):
    """What looking at every design says of one task.

    Args:
        designs: how many there are of its kind.
        best: the best within the limits, by name, if any will do.
    """

    designs: int
    best: dict[str, Any] | None


def truth(table: Table, task: Task, sweep: Sweep, technology: Technology | None) -> Truth:
    """The best design of a task's kind in a table of all designs."""
    rows = _rows(table, task, sweep)
    best = _best(table, _within(table, rows, task, sweep, technology), COLUMNS[sweep.descent.objective])
    return Truth(len(rows), None if best is None else {name: values[best] for name, values in table.items()})


def costed(table: Table, task: Task, sweep: Sweep, technology: Technology | None) -> Outcome:
    """What came of costing every design, of one task: no descents, and the best of all designs within the limits."""
    rows = _within(table, _rows(table, task, sweep), task, sweep, technology)
    names = [name for name in (*sweep.axes, *RESULTS) if name in table]
    best = _best(table, rows, COLUMNS[sweep.descent.objective])
    designs = {name: [table[name][row] for row in rows] for name in names}
    return Outcome(designs, None if best is None else rows.index(best), [], [])


def _rows(table: Table, task: Task, sweep: Sweep) -> list[int]:
    """The rows of a table of all designs that are of a task's kind."""
    settings = {name: values[0] for name, values in task.chunk(sweep, [[1] * len(sweep.axes)]).designs().items()}
    fixed = {name: value for name, value in settings.items() if name not in sweep.axes}
    return [i for i in range(len(table["rows"])) if all(table[name][i] == value for name, value in fixed.items())]


def _within(table: Table, rows: Sequence[int], task: Task, sweep: Sweep, technology: Technology | None) -> list[int]:
    """Those of the rows that are within the limits."""
    return [
        row for row in rows if within_limits([table[name][row] for name in sweep.axes], task.kind, sweep, technology)
    ]


def _best(table: Table, rows: Sequence[int], column: str) -> int | None:
    able = [row for row in rows if table[column][row] is not None]
    return min(able, key=lambda row: table[column][row], default=None)


class Strategy(NamedTuple):
    """How a space is searched, and why.

    Args:
        method: ``descents`` or ``every``.
        effort: what either takes, in seconds; None where it was not asked for.
    """

    method: Literal["descents", "every"]
    effort: Effort | None


def strategy(work: SearchWork, method: str) -> Strategy:
    """How to search, by one of ``METHODS``: ``auto`` takes what is estimated to take less.

    Raises:
        InputError: descents are wanted of designs with levels between scratchpad and DRAM; their cost knows none.
    """
    if work.sweep.machine.levels:
        if method == "descents":
            names = [level.name for level in work.sweep.machine.levels]
            raise InputError("machine.levels", names, "descents know none: leave them out, or give --method every")
        return Strategy("every", None)
    if method != "auto":
        return Strategy("every" if method == "every" else "descents", None)
    each = {(part.network, part.batch): part for part in work.parts}
    estimate = effort(work.sweep, [work.gemms(part) for part in each.values()])
    return Strategy("every" if estimate.every_is_less else "descents", estimate)
