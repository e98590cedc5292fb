"""How layers too large for the scratchpad are computed, and what that moves: plans, searched for, and their counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jaxgrad.array import forwards
from jaxgrad.array.counts import (
    CYCLES,
    DRAM,
    FILLS,
    PORT_ACCESSES,
    READS,
    STALLS,
    WRITE_BACKS,
    WRITES,
    Counts,
    Key,
    stalls_of,
)
from jaxgrad.array.forwards import Forward
from jaxgrad.array.layers import Phases, phase_of
from jaxgrad.array.mapping import Result
from jaxgrad.array.schedules import Choice, Schedule, find
from jaxgrad.base.errors import InputError, one_of
from jaxgrad.costs import blocks, levels
from jaxgrad.costs.levels_search import LevelsSearch
from jaxgrad.costs.orders import CHOICES, FUSED, ORDERS, SHARED, families, families_around, rule
from jaxgrad.costs.search import Alternatives, Found, Run, Unfit, search
from jaxgrad.costs.tiers import tiers
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, needed_bytes, stall_cycles
from jaxgrad.hardware import Machine

DRAM_KEYS: tuple[Key, ...] = (
    Key(DRAM, "x", READS),
    Key(DRAM, "w", READS),
    Key(DRAM, "w", WRITES),
    Key(DRAM, "y", WRITES),
    Key(DRAM, "dy", READS),
    Key(DRAM, "dx", WRITES),
    Key(DRAM, "dw", READS),
    Key(DRAM, "dw", WRITES),
    Key(DRAM, "psum", READS),
    Key(DRAM, "psum", WRITES),
)
"""Words to and from DRAM; ``psum`` are partial sums that the scratchpad could not keep."""


def memory_keys(machine: Machine) -> tuple[Key, ...]:
    """What is counted of the memories around the scratchpad, and the cycles in which the array waits for them."""
    if machine.memory is None:
        return ()
    names = [level.name for level in machine.memory.levels]
    inner = [key._replace(level=name) for name in names for key in DRAM_KEYS if key not in _OF_UPDATES]
    outer = [key._replace(action=_OUTWARDS[key.action]) for key in inner]
    wide = [level.name for level in machine.memory.levels if level.width_bits]
    tensors = dict.fromkeys(key.tensor for key in DRAM_KEYS)
    accesses = [Key(name, tensor, PORT_ACCESSES) for name in wide for tensor in tensors]
    stalls = [stalls_of(name) for name in (*names, DRAM)] if names else []
    return *inner, *outer, *accesses, *DRAM_KEYS, STALLS, *stalls


_OF_UPDATES = (Key(DRAM, "w", WRITES), Key(DRAM, "dw", READS))  # these pass all levels by
_OUTWARDS = {READS: FILLS, WRITES: WRITE_BACKS}


class Plan(NamedTuple):
    """How a layer's forward pass or gradients are computed.

    Args:
        runs: one after the other.
        order: the order of the gradients' blocks, one of ``orders.SINGLE``.
        cycles: clock cycles, stalls included.
        dram_bytes: bytes to and from DRAM.
        schedule: of the gradients, its name: of a choice among schedules the one that was chosen.
    """

    runs: tuple[Run, ...]
    order: str
    cycles: int
    dram_bytes: int
    schedule: str = ""


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
        self._has_levels = bool(machine.memory.levels)
        self._found: dict[tuple, list[Planned]] = {}

    def forward(self, how: str | Forward) -> list[Planned]:
        """The best plan of each layer's forward pass."""
        return self._search(("y",), "separate", ((forwards.find(how).mapping,),))

    def backward(self, schedule: str | Schedule, order: str, *, dx: bool = True, dw: bool = True) -> list[Planned]:
        """The best plan of each layer's gradients.

        Args:
            schedule: how the array computes a block: a ``Schedule``, or the name of a registered one.
            order: one of ``orders.ORDERS``. An interleaved pass computes both gradients of a block together, so that
                ``separate`` and ``alternating`` are not for it. Those of a choice among schedules that cannot run it
                take the best of theirs.
            dx, dw: which gradients are wanted; one alone has no order.

        Raises:
            ValueError: the schedule cannot run that order.
        """
        schedule = find(schedule)
        one_of("order", order, ORDERS)
        if not can_run(schedule, order):
            raise InputError(
                "order",
                order,
                f"choose one of {', '.join((*FUSED, *CHOICES))}",
                problem=(
                    f"got {order!r} with schedule {schedule.name!r}, which computes both gradients of a block at once"
                ),
            )
        return self.best(
            _named(self._gradients(member, order if can_run(member, order) else "best", dx=dx, dw=dw), member.name)
            for member in schedule.members
        )

    def _gradients(self, schedule: Schedule, order: str, *, dx: bool, dw: bool) -> list[Planned]:
        """The best plan of each layer's gradients under a schedule that is no choice among others."""
        choices = schedule.alternatives(dx=dx, dw=dw)
        results = gradients(choices)
        if not results:
            return [Plan((), "separate", 0, 0)] * len(self._shapes.b)
        if len(results) == 1:
            return self._search(results, "separate", choices)
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

    def _both(self, schedule: Schedule, order: str) -> list[Planned]:
        if order in FUSED:
            return self._search(("dx", "dw"), order, schedule.alternatives())
        # The two gradients work on different blocks, so each has a pass of its own.
        dx, dw = schedule.alternatives(dw=False), schedule.alternatives(dx=False)
        if order == "alternating":
            return self._search(("dx", "dw"), order, dx + dw)
        pairs = zip(self._search(("dx",), order, dx), self._search(("dw",), order, dw), strict=True)
        return [_in_turn(first, second) for first, second in pairs]

    def _search(self, results: tuple[Result, ...], order: str, choices: tuple[Choice, ...]) -> list[Planned]:
        key = (results, order, choices)
        if key not in self._found:
            nests, alternatives = list(families(results, order)), Alternatives(choices)
            if self._has_levels:
                around = list(families_around(results, order))
                runs = LevelsSearch(nests, around, alternatives, self._machine, self._objective).search(self._shapes)
            else:
                runs = search(
                    nests,
                    alternatives,
                    self._shapes,
                    self._machine.array,
                    self._storage,
                    self._machine.precision,
                    self._objective,
                )
            self._found[key] = [
                Plan((run.run,), order, run.cycles, run.dram_bytes) if isinstance(run, Found) else run for run in runs
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
        return max((plan for plan in (first, second) if isinstance(plan, Unfit)), key=lambda unfit: unfit.lacking_bytes)
    return Plan(
        first.runs + second.runs, first.order, first.cycles + second.cycles, first.dram_bytes + second.dram_bytes
    )


def _named(plans: list[Planned], schedule: str) -> list[Planned]:
    return [plan._replace(schedule=schedule) if isinstance(plan, Plan) and plan.runs else plan for plan in plans]


def gradients(choices: tuple[Choice, ...]) -> tuple[Result, ...]:
    """What a schedule's ``alternatives`` compute together."""
    computed = {result for choice in choices for result in choice[0].results}
    return tuple(result for result in ("dx", "dw") if result in computed)


def can_run(schedule: str | Schedule, order: str) -> bool:
    """Whether the passes of a schedule, or of one that it chooses among, can compute blocks in that order."""
    return order in (*FUSED, *CHOICES) or not all(member.fused for member in find(schedule).members)


def counts(plan: Plan, shapes: Shapes, machine: Machine) -> Phases:
    """All counters of a plan by phase: those of the array, words to and from DRAM, stalls.

    Args:
        plan: from a ``Planner``.
        shapes: of its layer, Python ints.
        machine: that of the planner.
    """
    assert machine.memory is not None
    storage, precision = Storage.of(machine.memory), machine.precision
    phases: dict[str, dict[Key, int]] = {}
    for run in plan.runs:
        if machine.memory.levels:
            around = levels.Surroundings.of(machine, tiers(machine.memory)[-1:])
            phases[phase_of(run.results)] = levels.counts(run, shapes, around)
            continue
        counts = blocks.counts(run.mappings, shapes.sizes, run.block, machine.array)
        spare = storage.spare_bytes(needed_bytes(run.nests, shapes, run.block, precision))
        moved = dram_words(run.nests, shapes, run.block, precision, spare)
        size = dram_bytes(moved, precision)
        counts |= moved
        counts[STALLS] = stall_cycles(counts[CYCLES], size, run.nests, shapes, run.block, storage, precision)
        phases[phase_of(run.results)] = {key: int(value) for key, value in counts.items()}
    return phases


def transfer_cycles(counts: Counts, machine: Machine) -> int:
    """Clock cycles in which DRAM moves them."""
    assert machine.memory is not None
    return Storage.of(machine.memory).transfer_cycles(dram_bytes(counts, machine.precision))
