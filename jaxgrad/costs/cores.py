"""A layer shared by several cores, each with its own array, scratchpad and DRAM channel.

One axis is cut into as many parts as there are cores. Along the axis that a result lacks, each core has only partial
sums of it: all but one core write those to DRAM in place of the result, and they are read back to be added. So cutting
the batch adds up dW, cutting the out features adds up dX, and cutting the in features adds up y; for the gradients the
last needs no sums at all (IGO, MICRO 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgrad.array.counts import CYCLES, DRAM, READS, STALLS, WRITES, Key
from jaxgrad.array.forwards import Forward
from jaxgrad.array.layers import Phases, phase_of
from jaxgrad.array.mapping import Result
from jaxgrad.array.schedules import Schedule, find
from jaxgrad.base.arithmetic import ceil_div, exact
from jaxgrad.base.whole import Whole, concatenate
from jaxgrad.costs import hierarchy
from jaxgrad.costs.hierarchy import Plan, Planned, Planner
from jaxgrad.costs.nests import reused_along
from jaxgrad.costs.search import Unfit
from jaxgrad.costs.tiers import waits_for_dram
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.hardware import Machine

_AXES = {"batch": "b", "in_features": "k", "out_features": "n"}


class Share(NamedTuple):
    """What ``cores`` cores do each: a part of the layer, by a plan of their own."""

    cores: int
    shapes: Shapes
    plan: Plan


class Partition(NamedTuple):
    """A layer on all cores.

    Args:
        axis: which is cut.
        shares: the largest first.
        summed: results of which each core has partial sums.
        cycles: clock cycles until the last core is done, stalls and the exchange of sums included.
        dram_bytes: of all cores.
    """

    axis: str
    shares: tuple[Share, ...]
    summed: tuple[Result, ...]
    cycles: int
    dram_bytes: int


class CoresPlanner:
    """A ``Planner`` for all cores of a machine: it finds the better axis to cut, or the one that is wanted."""

    def __init__(self, machine: Machine, shapes: Shapes, objective: str = "cycles") -> None:
        self._machine, self._shapes, self._objective = machine, shapes.each(exact), objective
        self._planners: dict[str, Planner] = {}

    def forward(self, how: str | Forward) -> list[Partition | Unfit]:
        """The best partition of each layer's forward pass."""
        return self._best(lambda planner: planner.forward(how), ("y",))

    def backward(
        self, schedule: str | Schedule, order: str, *, dx: bool = True, dw: bool = True
    ) -> list[Partition | Unfit]:
        """The best partition of each layer's gradients; see ``Planner.backward``."""
        schedule = find(schedule)
        wanted: dict[Result, bool] = {"dx": dx, "dw": dw}
        results: tuple[Result, ...] = tuple(result for result in schedule.gives if wanted[result])
        return self._best(lambda planner: planner.backward(schedule, order, dx=dx, dw=dw), results)

    def _best(self, plan: Callable[[Planner], list[Planned]], results: tuple[Result, ...]) -> list[Partition | Unfit]:
        wanted = self._machine.partition
        axes = _AXES.values() if wanted == "best" else (_AXES[wanted],)
        if self._machine.cores == 1:
            axes = ("b",)  # whichever: there is one part
        choices = [self._along(axis, plan, results) for axis in axes]

        def key(partition: Partition | Unfit) -> tuple[int, ...]:
            if isinstance(partition, Unfit):
                return (1, partition.lacking_bytes)
            spent = (partition.cycles, partition.dram_bytes)
            return 0, *(spent if self._objective == "cycles" else spent[::-1])

        return [min(choice, key=key) for choice in zip(*choices, strict=True)]

    def _along(
        self, axis: str, plan: Callable[[Planner], list[Planned]], results: tuple[Result, ...]
    ) -> list[Partition | Unfit]:
        """Every layer cut along one axis."""
        parts, remainders = _cut(self._shapes, axis, self._machine.cores)
        left = np.flatnonzero(remainders.sizes[axis] > 0)
        if axis not in self._planners:
            both = _joined(parts, remainders.each(lambda values: values[left]))
            self._planners[axis] = Planner(self._machine, both, self._objective)
        count = len(self._shapes.b)
        plans = plan(self._planners[axis])
        of_rest = dict(zip(left.tolist(), plans[count:], strict=True))
        summed: tuple[Result, ...] = tuple(result for result in results if reused_along(result) == axis)
        partitions: list[Partition | Unfit] = []
        for layer, of_parts in enumerate(plans[:count]):
            of_remainder = of_rest.get(layer)
            if isinstance(of_parts, Unfit):
                partitions.append(of_parts)
            elif isinstance(of_remainder, Unfit):
                partitions.append(of_remainder)
            else:
                partitions.append(self._partition(layer, axis, parts, remainders, of_parts, of_remainder, summed))
        return partitions

    def _partition(
        self,
        layer: int,
        axis: str,
        parts: Shapes,
        remainders: Shapes,
        plan: Plan,
        rest: Plan | None,
        summed: tuple[Result, ...],
    ) -> Partition:
        part, whole = _one(parts, layer), _one(self._shapes, layer)
        shares = [Share(whole.sizes[axis] // part.sizes[axis], part, plan)]
        if rest:
            shares.append(Share(1, _one(remainders, layer), rest))
        exchanged = _exchanged_bytes(shares, whole, summed, self._machine)
        return Partition(
            axis,
            tuple(shares),
            summed,
            max(share.plan.cycles for share in shares) + _exchange_cycles(shares, exchanged, self._machine),
            sum(share.cores * share.plan.dram_bytes for share in shares) + exchanged,
        )


def counts(partition: Partition, shapes: Shapes, machine: Machine) -> Phases:
    """All counters of all cores, by phase; cycles and stalls are those of the core that takes longest.

    Args:
        partition: from a ``CoresPlanner``.
        shapes: of the whole layer, Python ints.
        machine: that of the planner.
    """
    counted = [hierarchy.counts(share.plan, share.shapes, machine) for share in partition.shares]
    slowest = max(range(len(counted)), key=lambda index: partition.shares[index].plan.cycles)
    phases: dict[str, dict[Key, int]] = {}
    for phase in dict.fromkeys(name for by_phase in counted for name in by_phase):
        total: dict[Key, int] = {}
        for share, by_phase in zip(partition.shares, counted, strict=True):
            for key, value in by_phase.get(phase, {}).items():
                total[key] = total.get(key, 0) + share.cores * value
        busiest = counted[slowest].get(phase, {})
        times = (CYCLES.action, STALLS.action)
        phases[phase] = total | {key: busiest.get(key, 0) for key in total if key.action in times}
    exchanged = _exchanged_bytes(partition.shares, shapes, partition.summed, machine)
    if exchanged:
        words = sum(_exchanged_words(partition.shares, shapes, result) for result in partition.summed)
        run = next(run for run in partition.shares[0].plan.runs if set(partition.summed) & set(run.results))
        counts = phases[phase_of(run.results)]
        for key in (Key(DRAM, "psum", READS), Key(DRAM, "psum", WRITES)):
            counts[key] = counts.get(key, 0) + words
        for result in partition.summed:
            counts[Key(DRAM, result, WRITES)] -= _exchanged_words(partition.shares, shapes, result)
        assert machine.memory is not None
        for key in waits_for_dram(machine.memory):
            counts[key] += _exchange_cycles(partition.shares, exchanged, machine)
    return phases


def _cut(shapes: Shapes, axis: str, cores: int) -> tuple[Shapes, Shapes]:
    """The part of each core but the last one, and what is left for that; 0 long where the parts are equal."""
    length = shapes.sizes[axis]
    part = ceil_div(length, cores)
    rest = length % part

    def cut(to: Whole) -> Shapes:
        x_words = shapes.x_words if axis == "n" else ceil_div(shapes.x_words * to, length)
        sizes = {**shapes.sizes, axis: to}
        return Shapes(sizes["b"], sizes["k"], sizes["n"], x_words)

    return cut(part), cut(rest)


def _joined(one: Shapes, other: Shapes) -> Shapes:
    b, k, n, x_words = (concatenate(pair) for pair in zip(one.numbers, other.numbers, strict=True))
    return Shapes(b, k, n, x_words)


def _one(shapes: Shapes, layer: int) -> Shapes:
    return shapes.each(lambda values: int(values[layer]))


def _exchanged_words(shares: tuple[Share, ...] | list[Share], shapes: Shapes, result: Result) -> int:
    """Partial sums that are written, and read back as often."""
    return (sum(share.cores for share in shares) - 1) * shapes.words[result]


def _exchanged_bytes(
    shares: tuple[Share, ...] | list[Share], shapes: Shapes, summed: tuple[Result, ...], machine: Machine
) -> int:
    """Bytes beyond those of the shares' plans, in which every core writes a result."""
    stored = machine.precision.bytes
    words = {result: _exchanged_words(shares, shapes, result) for result in summed}
    return sum(2 * stored("psum", count) - stored(result, count) for result, count in words.items())


def _exchange_cycles(shares: tuple[Share, ...] | list[Share], exchanged_bytes: int, machine: Machine) -> int:
    """All channels carry the sums together."""
    assert machine.memory is not None
    return Storage.of(machine.memory).transfer_cycles(ceil_div(exchanged_bytes, sum(share.cores for share in shares)))
