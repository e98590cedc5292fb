"""How layers too large for the scratchpad are computed, and what that moves: plans, searched for, and their counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jaxgrad.array import schedules
from jaxgrad.array.layers import Phases
from jaxgrad.array.mapping import Result
from jaxgrad.base.errors import one_of
from jaxgrad.costs import blocks
from jaxgrad.costs.orders import CHOICES, FUSED, ORDERS, SHARED, families, rule
from jaxgrad.costs.search import Alternatives, Found, Run, Unfit, search
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, needed_bytes, stall_cycles
from jaxgrad.hardware import Machine

DRAM_NAMES: tuple[str, ...] = (
    "dram_x_reads",
    "dram_w_reads",
    "dram_w_writes",
    "dram_y_writes",
    "dram_dy_reads",
    "dram_dx_writes",
    "dram_dw_reads",
    "dram_dw_writes",
    "dram_psum_reads",
    "dram_psum_writes",
)
"""Words to and from DRAM; ``psum`` are partial sums that the scratchpad could not keep."""


class Plan(NamedTuple):
    """How a layer's forward pass or gradients are computed.

    Args:
        runs: one after the other.
        order: the order of the gradients' blocks, one of ``orders.SINGLE``.
        cycles: clock cycles, stalls included.
        dram_bytes: bytes to and from DRAM.
    """

    runs: tuple[Run, ...]
    order: str
    cycles: int
    dram_bytes: int


Planned = Plan | Unfit
"""What a search for a layer ends with."""


class Planner:
    """Searches plans on one machine; what it has found for one schedule serves the others that run it too.

    Args:
        machine: with a memory.
        shapes: of the layers, one-dimensional arrays.
        objective: what plans are chosen by, ``cycles`` or ``dram``.
    """

    def __init__(self, machine: Machine, shapes: Shapes, objective: str = "cycles") -> None:
        assert machine.memory is not None
        self._machine, self._shapes, self._objective = machine, shapes, objective
        self._storage = Storage.of(machine.memory)
        self._found: dict[tuple, list[Planned]] = {}

    def forward(self, dataflow: str) -> list[Planned]:
        """The best plan of each layer's forward pass."""
        return self._search(("y",), "separate", ((schedules.FORWARD[dataflow],),))

    def backward(self, schedule: str, order: str, *, dx: bool = True, dw: bool = True) -> list[Planned]:
        """The best plan of each layer's gradients.

        Args:
            schedule: how the array computes a block, one of ``schedules.SCHEDULES``.
            order: one of ``orders.ORDERS``. An interleaved pass computes both gradients of a block together, so that
                ``separate`` and ``alternating`` are not for it.
            dx, dw: which gradients are wanted; one alone has no order.

        Raises:
            ValueError: the schedule cannot run that order.
        """
        one_of("order", order, ORDERS)
        if schedule == "auto":
            return self.best(
                self.backward(name, order if can_run(name, order) else "best", dx=dx, dw=dw) for name in schedules.AUTO
            )
        if not can_run(schedule, order):
            raise ValueError(
                f"order: got {order!r} with schedule {schedule!r}, which computes both gradients of a block at once; "
                f"choose one of {', '.join((*FUSED, *CHOICES))}"
            )
        dx, dw = dx and schedule != "os", dw and schedule != "ws"
        if not (dx and dw):
            alone: tuple[Result, ...] = ("dx",) if dx else ("dw",)
            return self._search(alone, "separate", schedules.alternatives(schedule, dx=dx, dw=dw))
        if order == "rule":
            chosen = rule(self._shapes.b, self._shapes.k, self._shapes.n)
            by_order = {int(index): self._both(schedule, SHARED[int(index)]) for index in set(chosen.tolist())}
            return [by_order[int(index)][layer] for layer, index in enumerate(chosen)]
        if order in CHOICES:
            return self.best(self._both(schedule, name) for name in CHOICES[order] if can_run(schedule, name))
        return self._both(schedule, order)

    def best(self, choices: Iterable[list[Planned]]) -> list[Planned]:
        """Of several plans the best one for each layer, or by how little the least one does not fit."""
        return [min(plans, key=self._key) for plans in zip(*choices, strict=True)]

    def _both(self, schedule: str, order: str) -> list[Planned]:
        together = schedules.alternatives(schedule)
        if order in FUSED:
            return self._search(("dx", "dw"), order, together)
        # The two gradients work on different blocks, so each has a pass of its own.
        apart = schedules.alternatives(schedule, dw=False) + schedules.alternatives(schedule, dx=False)
        if order == "alternating":
            return self._search(("dx", "dw"), order, apart)
        pairs = zip(self._search(("dx",), order, apart[:1]), self._search(("dw",), order, apart[1:]), strict=True)
        return [_in_turn(first, second) for first, second in pairs]

    def _search(self, results: tuple[Result, ...], order: str, choices: tuple) -> list[Planned]:
        key = (results, order, choices)
        if key not in self._found:
            found = search(
                list(families(results, order)),
                Alternatives(choices),
                self._shapes,
                self._machine.array,
                self._storage,
                self._machine.precision,
                self._objective,
            )
            self._found[key] = [
                Plan((each.run,), order, each.cycles, each.dram_bytes) if isinstance(each, Found) else each
                for each in found
            ]
        return self._found[key]

    def _key(self, plan: Planned) -> tuple[int, ...]:
        """Plans that fit first."""
        if isinstance(plan, Unfit):
            return (1, plan.lacking_bytes)
        spent = (plan.cycles, plan.dram_bytes)
        return 0, *(spent if self._objective == "cycles" else spent[::-1])


def _in_turn(first: Planned, second: Planned) -> Planned:
    """One plan after the other."""
    if isinstance(first, Unfit) or isinstance(second, Unfit):
        return max((each for each in (first, second) if isinstance(each, Unfit)), key=lambda unfit: unfit.lacking_bytes)
    return Plan(
        first.runs + second.runs, first.order, first.cycles + second.cycles, first.dram_bytes + second.dram_bytes
    )


def can_run(schedule: str, order: str) -> bool:
    """Whether a schedule's passes can compute blocks in that order."""
    return schedule != "interleaved" or order in (*FUSED, *CHOICES)


def counts(plan: Plan, shapes: Shapes, machine: Machine) -> Phases:
    """All counters of a plan by phase: those of the array, ``dram_<tensor>_reads|writes`` in words, ``stall_cycles``.

    Args:
        plan: from a ``Planner``.
        shapes: of its layer, Python ints.
        machine: that of the planner.
    """
    assert machine.memory is not None
    storage, precision = Storage.of(machine.memory), machine.precision
    phases: dict[str, dict[str, int]] = {}
    for run in plan.runs:
        own = blocks.counts(run.mappings, shapes.sizes, run.block, machine.array)
        spare = storage.spare_bytes(needed_bytes(run.nests, shapes, run.block, precision))
        moved = dram_words(run.nests, shapes, run.block, precision, spare)
        size = dram_bytes(moved, precision)
        own |= {f"dram_{name}": words for name, words in moved.items()}
        own["stall_cycles"] = stall_cycles(own["cycles"], size, run.nests, shapes, run.block, storage, precision)
        results = [result for nest in run.nests for result in nest.results]
        phases["forward" if results == ["y"] else "+".join(results)] = {name: int(value) for name, value in own.items()}
    return phases


def phase_dram_bytes(counts: Mapping[str, int], machine: Machine) -> int:
    """Bytes to and from DRAM among some counts: ``dram_<tensor>_reads|writes``, and the vector unit's words."""
    moved = {name.removeprefix("dram_"): words for name, words in counts.items() if name.startswith("dram_")}
    vector = moved.pop("vector_words", 0)
    return dram_bytes(moved, machine.precision) + machine.precision.bytes("x", vector)


def transfer_cycles(counts: Mapping[str, int], machine: Machine) -> int:
    """Clock cycles in which DRAM moves them."""
    assert machine.memory is not None
    return Storage.of(machine.memory).transfer_cycles(phase_dram_bytes(counts, machine))
