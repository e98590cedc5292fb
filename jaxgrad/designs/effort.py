"""What it takes to cost every design of a space, and to search it by descents: estimates, by counting alone.

Descents cost the designs that they reach exactly, so that both compile the exact costing of each kind of design; on
top of that, descents compile a relaxed cost and its gradient for each search. So they pay only where a space is
large. Seconds are of one core, with nothing compiled before; what decides is their ratio, which depends less on the
machine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgrad.array import forwards
from jaxgrad.array.schedules import find
from jaxgrad.costs.cuts import CUTS
from jaxgrad.designs import grid
from jaxgrad.designs.problems import Problems, problems
from jaxgrad.designs.questions import Arrays, Question
from jaxgrad.designs.schema import Sweep
from jaxgrad.designs.search import BATCH
from jaxgrad.designs.space import MOST_TOGETHER, kinds
from jaxgrad.hardware import Precision
from jaxgrad.programs import LayerGemm

_SIDES = 6  # rows, and columns, for which blocks are counted
_CLIMBS, _AROUND = 9, 9  # times that descents' ends are followed, and the memories around one

# Seconds, measured.
_COMPILED = 4.0  # the search of one part (``plans.Part``), with a memory
_COMPILED_DIRECT = 0.2  # a pass over the layers, without one
_BLOCK = 2.5e-7  # a block of a layer, on an array, for each part
_STORED = 8e-9  # the same, for each scratchpad and bandwidth
_LISTED = 1e-5  # a design in the table; without a memory, all that costing it takes
_RELAXED = 12.0  # compiling the relaxed cost of a part, and its gradient
_RELAXED_DIRECT = 1.0
_STEP = 2e-4  # a step of a descent, for each part and layer


class Effort(NamedTuple):
    """Seconds that it takes.

    Args:
        every_s: to cost every design; infinite where there are too many for that.
        descents_s: to search by descents.
    """

    every_s: float
    descents_s: float

    @property
    def every_is_less(self) -> bool:
        """Whether costing every design takes less."""
        return self.every_s <= self.descents_s


def effort(sweep: Sweep, networks: Sequence[Sequence[LayerGemm]]) -> Effort:
    """What a space takes, by either method.

    Args:
        sweep: the space, and what is sought in it.
        networks: the products of each of its networks and layers, at each batch.
    """
    every = descents = 0.0
    for gemms in networks:
        layers = problems(gemms, patches_in_dram=not sweep.has_memory or sweep.machine.im2col == "dram")
        all_designs, searches = (_with_memory if sweep.has_memory else _direct)(sweep, layers)
        every, descents = every + all_designs, descents + searches
    listed = every + sweep.points * _LISTED
    return Effort(listed if sweep.points <= MOST_TOGETHER else math.inf, descents)


def _with_memory(sweep: Sweep, layers: Problems) -> tuple[float, float]:
    """Seconds for one network, by either method."""
    variants, parts, searched = _parts(sweep, layers)
    arrays = math.prod(len(sweep.axes[side]) for side in ("rows", "cols"))
    memories = math.prod(map(len, sweep.axes.values())) // arrays
    blocks, starts = _blocks(sweep, layers), sweep.descent.starts
    compiled = variants * parts * _COMPILED
    every = compiled + variants * parts * arrays * blocks * (_BLOCK + memories * _STORED)
    batches = min(memories, 4 * starts) + _CLIMBS * min(memories, _AROUND)
    relaxed = searched * (_RELAXED + starts * sweep.descent.steps * len(layers) * _STEP)
    exact = searched * batches * BATCH * blocks * (_BLOCK + _STORED)
    return every, compiled + variants * (relaxed + exact)


def _direct(sweep: Sweep, layers: Problems) -> tuple[float, float]:
    """The same where the scratchpad holds everything."""
    tasks = len(kinds(sweep))
    compiled = tasks * _COMPILED_DIRECT
    steps = sweep.descent.starts * sweep.descent.steps * len(layers)
    return compiled, compiled + tasks * (_RELAXED_DIRECT + steps * _STEP)


def _parts(sweep: Sweep, layers: Problems) -> tuple[int, int, int]:
    """Kinds of arithmetic and PEs, the parts that are searched for each, and those of all searches: each of these runs
    the forward pass again."""
    space, memory_double_buffered = sweep.space, sweep.machine.memory_double_buffered
    precision = Precision.of(space.precision[0])
    variants = len(space.double_buffered) * len(space.precision)

    def counted(question: Question) -> int:
        groups = [(group.dx, group.dw) for group in question.groups(layers)]
        return sum(len(plan) for dx, dw in groups for plan in question.plans(dx, dw))

    ahead = counted(Question(forwards.find(sweep.machine.forward), "", "", False, memory_double_buffered, precision))
    back = [
        counted(Question(None, find(schedule), order, False, memory_double_buffered, precision))
        for schedule, order in itertools.product(space.schedule, space.order)
    ]
    return variants, ahead + sum(back), sum(ahead + parts for parts in back)


def _blocks(sweep: Sweep, layers: Problems) -> float:
    """Blocks of all layers that an array can choose from, in the mean of a few arrays of all sizes."""
    sides = [_spread(sorted(sweep.axes[side])) for side in ("rows", "cols")]
    rows, cols = np.array(list(itertools.product(*sides)), np.int64).T
    counts = grid.blocks(layers.shapes, Arrays(rows, cols, double_buffered=False), CUTS[sweep.search.plans])
    return float(counts.mean())


def _spread(values: Sequence[int]) -> list[int]:
    """A few of the values, from the first to the last."""
    count = min(len(values), _SIDES)
    return [values[place * (len(values) - 1) // max(1, count - 1)] for place in range(count)]
