"""Search of a design space by gradients: descents on the relaxed cost, rounded, and costed exactly."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgrad.designs import sweep as exact
from jaxgrad.designs.descent import Descent, Slopes
from jaxgrad.designs.goal import Goal, within_limits
from jaxgrad.designs.schema import Sweep
from jaxgrad.designs.space import Chunk, Kind
from jaxgrad.hardware import Technology
from jaxgrad.programs import LayerGemm

_CLIMBS = 3  # ends of descents from which neighbours are followed
BATCH = 32  # designs costed together: one compiled size

Design = tuple[Any, ...]
"""A value for each of ``Sweep.axes``."""


class Sought(NamedTuple):
    """What is searched.

    Args:
        kind: schedule, order, precision and PEs.
        workload, batch: see ``Chunk``.
        sweep: the space, and what is sought in it.
        gemms: of the network at its batch.
        technology: the technology, if energies and areas are wanted.
    """

    kind: Kind
    workload: Mapping[str, Any]
    batch: int
    sweep: Sweep
    gemms: Sequence[LayerGemm]
    technology: Technology | None


class Found(NamedTuple):
    """What a search of one kind of design found.

    Args:
        kind: the kind.
        descent: where descents went.
        ends: for each descent the best design at its end; None where none there fits or is within the limits.
        costs: the exact results of every design that was looked at, by name; see ``sweep.RESULTS``.
        relaxed: the relaxed objective of each of them.
        best: the best of them, if any will do.
    """

    kind: Kind
    descent: Descent
    ends: list[Design | None]
    costs: dict[Design, dict[str, Any]]
    relaxed: dict[Design, float]
    best: Design | None


def search(sought: Sought) -> Found:
    """The best sizes for one kind of design."""
    kind, sweep, technology = sought.kind, sought.sweep, sought.technology
    goal = Goal(kind, sweep, sought.gemms, technology)
    axes = sweep.axes
    lower, upper = (np.log2([pick(values) for values in axes.values()]) for pick in (min, max))
    with jax.enable_x64(True):
        spread = np.random.default_rng(sweep.descent.seed).uniform(size=(sweep.descent.starts, len(axes)))
        slopes = Slopes(goal)
        descent = slopes.descend(lower + spread * (upper - lower), lower, upper, sweep.descent.steps)
    costs: dict[Design, dict[str, Any]] = {}

    def look(designs: Iterable[Design]) -> None:
        new = [
            design
            for design in dict.fromkeys(designs)
            if design not in costs and within_limits(design, kind, sweep, technology)
        ]
        costs.update(_costed(new, sought))

    corners = [list(_corners(np.exp2(logs), list(axes.values()))) for logs in descent.logs]
    look(itertools.chain.from_iterable(corners))
    ends = [_least(group, costs, goal) for group in corners]
    good = dict.fromkeys(end for end in ends if end is not None)
    for end in sorted(good, key=lambda design: costs[design][goal.column])[:_CLIMBS]:
        at, before = end, None
        while at != before:
            around = list(_neighbours(at, list(axes.values())))
            look(around)
            at, before = _least(around, costs, goal) or at, at
    best = _least(costs, costs, goal)
    with jax.enable_x64(True):
        logs = np.log2(np.array(list(costs), float).reshape(len(costs), len(axes)))
        relaxed = np.exp(slopes.losses(logs, sweep.descent.starts))
    return Found(kind, descent, ends, costs, dict(zip(costs, relaxed.tolist(), strict=True)), best)


def _corners(sizes: Iterable[float], axes: Sequence[Sequence[Any]]) -> Iterable[Design]:
    """The designs around a point: of each axis the value below and the one above."""
    around = []
    for size, values in zip(sizes, axes, strict=True):
        ordered = sorted(values)
        above = min(int(np.searchsorted(ordered, size * (1 - 1e-9))), len(ordered) - 1)
        around.append(dict.fromkeys((ordered[max(above - 1, 0)], ordered[above])))
    return itertools.product(*around)


def _neighbours(design: Design, axes: Sequence[Sequence[Any]]) -> Iterable[Design]:
    """The designs one step away, in any number of axes."""
    around = []
    for value, values in zip(design, axes, strict=True):
        ordered = sorted(values)
        at = ordered.index(value)
        around.append(ordered[max(at - 1, 0) : at + 2])
    return itertools.product(*around)


def _least(designs: Iterable[Design], costs: Mapping[Design, Mapping[str, Any]], goal: Goal) -> Design | None:
    """The best of some designs; of equally good ones the first."""
    able = [design for design in designs if design in costs and costs[design][goal.column] is not None]
    return min(able, key=lambda design: costs[design][goal.column], default=None)


def _costed(designs: Sequence[Design], sought: Sought) -> dict[Design, dict[str, Any]]:
    """Exact results, by the sweep's own costing."""
    kind, sweep = sought.kind, sought.sweep
    by_memory: dict[tuple[Any, ...], list[Design]] = {}
    for design in designs:
        by_memory.setdefault(design[2:], []).append(design)
    costs = {}
    for memory, group in by_memory.items():
        for start in range(0, len(group), BATCH):
            some = group[start : start + BATCH]
            padded = [*some, *[some[-1]] * (BATCH - len(some))]
            arrays = tuple((design[0], design[1]) for design in padded)
            chunk = Chunk(
                sought.workload, sought.batch, kind.precision, kind.double_buffered, arrays, memory[:1], memory[1:],
                (kind.schedule,), (kind.order,),
            )  # fmt: skip
            table = exact.compute(chunk, sweep, sought.gemms, sought.technology)
            names = [name for name in exact.RESULTS if name in table]
            costs |= {design: {name: table[name][index] for name in names} for index, design in enumerate(some)}
    return costs
