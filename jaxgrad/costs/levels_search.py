"""The search for blocks within blocks: of each tier the most promising ones, and in each of them the best inside.

Pairs of an outer and an inner block are some millions for a layer. So outer blocks are ranked by bounds that hold for
whatever is inside, and as long as a bound promises more than is found, they get an inner search each (``costs.search``,
many at once). A run may also pass a tier by altogether: a level never makes a layer slower than the machine without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxgrad.base.arithmetic import Integer, exact, last_block, maximum, where
from jaxgrad.costs.levels import Surroundings, spent
from jaxgrad.costs.nests import Nest, Sizes, resident, reused_along, trips, visits
from jaxgrad.costs.orders import Nests
from jaxgrad.costs.search import Alternatives, Found, Run, Unfit, candidates, search
from jaxgrad.costs.tiers import Outer, Tier, tiers
from jaxgrad.costs.transfers import Shapes, Storage, block_bytes
from jaxgrad.costs.widths import Accesses
from jaxgrad.hardware import Machine

_AT_A_TIME = 8  # of a tier's blocks, for each layer
_MOST = 128
_PERCENT = 1  # by which one more must be able to better the best
_Numbers = tuple[int, int, int, int]
_Spent = tuple[int, int]
"""Cycles and bytes of DRAM, in the order of the objective."""


class LevelsSearch:
    """Searches runs through all memories of a machine.

    Args:
        families: loop nests to choose from, for the scratchpad's blocks.
        around: nests for the blocks of the memories around it.
        alternatives: what the array can do with a block.
        machine: with a memory.
        objective: what is least: ``cycles`` (stalls included) or ``dram`` (bytes); the other one breaks a tie.
    """

    def __init__(
        self,
        families: Sequence[Nests],
        around: Sequence[Nest],
        alternatives: Alternatives,
        machine: Machine,
        objective: str,
    ) -> None:
        assert machine.memory is not None
        self._families, self._around, self._alternatives = families, around, alternatives
        self._machine, self._objective = machine, objective
        self._storage = Storage.of(machine.memory)
        self._tensors = {name for nest in around for name in nest.tensors}

    def search(self, shapes: Shapes) -> list[Found | Unfit]:
        """The best run of each layer.

        Args:
            shapes: of the layers, one-dimensional arrays.
        """
        assert self._machine.memory is not None
        *levels, dram = tiers(self._machine.memory)
        outcomes: list[Found | Unfit] = []
        for layer, runs in enumerate(self._runs(tuple(levels), (dram,), shapes)):
            if isinstance(runs, Unfit):
                outcomes.append(runs)
            else:
                spent, run = self._best(runs, _one(shapes, layer), (dram,))
                outcomes.append(Found(run, *self._keyed(*spent)))
        return outcomes

    def _runs(self, inside: tuple[Tier, ...], beyond: tuple[Tier, ...], shapes: Shapes) -> list[list[Run] | Unfit]:
        """Of each layer some runs through the tiers ``inside``, one of which is likely to be the best."""
        if not inside:
            return self._through_scratchpad(beyond, shapes)
        *inner, tier = inside
        passing = self._runs(tuple(inner), beyond, shapes)
        best = {
            layer: self._best(runs, _one(shapes, layer), beyond)
            for layer, runs in enumerate(passing)
            if not isinstance(runs, Unfit)
        }
        promising = self._promising(tier, beyond[0], shapes)
        within: dict[_Numbers, list[Run] | Unfit] = {}
        for start in range(0, _MOST, _AT_A_TIME):
            tried: dict[int, list[tuple[Outer, _Numbers]]] = {}
            for layer in best:
                next_few = promising[layer][start : start + _AT_A_TIME]
                if next_few and (start == 0 or _worth_it(next_few[0][0], best[layer][0])):
                    one = _one(shapes, layer)
                    tried[layer] = [(outer, _numbers(one, outer.block)) for _, outer in next_few]
            unique = sorted({block for several in tried.values() for _, block in several} - set(within))
            if unique:
                within |= zip(unique, self._runs(tuple(inner), (tier, *beyond), Shapes.of(unique)), strict=True)
            for layer, blocks in tried.items():
                runs = [
                    run._replace(outer=(*run.outer, outer))
                    for outer, block in blocks
                    for run in _fitting(within[block])
                ]
                if runs:
                    nested = self._best(runs, _one(shapes, layer), beyond)
                    best[layer] = min(best[layer], nested, key=lambda pair: pair[0])
        return [runs if isinstance(runs, Unfit) else [best[layer][1]] for layer, runs in enumerate(passing)]

    def _through_scratchpad(self, beyond: tuple[Tier, ...], shapes: Shapes) -> list[list[Run] | Unfit]:
        """Of each layer the best run as if all came from one memory.

        Where tensors pass the nearest one by, that is not quite so: then also as if all came from DRAM, and that of
        the fewest bytes.
        """
        nearest, dram = beyond[0], beyond[-1]
        wanted = [(nearest, self._objective if nearest == dram else "cycles")]
        if not self._tensors <= nearest.keeps:
            wanted += [(dram, "cycles"), (dram, "dram")]
        several = [
            search(
                self._families,
                self._alternatives,
                shapes,
                self._machine.array,
                self._storage._replace(cycles=tier.cycles, of_bytes=tier.of_bytes, width_bytes=tier.width_bytes),
                self._machine.precision,
                objective,
            )
            for tier, objective in dict.fromkeys(wanted)
        ]
        return [
            first if isinstance(first, Unfit) else [run.run for run in (first, *others) if isinstance(run, Found)]
            for first, *others in zip(*several, strict=True)
        ]

    def _promising(self, tier: Tier, outside: Tier, shapes: Shapes) -> list[list[tuple[_Spent, Outer]]]:
        """Of each layer the blocks of a tier that have the least bounds, each with its best nest; the least first."""
        if not self._tensors & tier.keeps:
            return [[] for _ in range(len(shapes.b))]
        many, block, owner = candidates(shapes.each(exact).reduced(), self._machine.array)
        compute = self._alternatives.cycles(many.sizes, block, self._machine.array)
        least = (compute, compute)
        chosen = np.full(len(owner), -1)
        for index, nest in enumerate(self._around):
            cycles, moved = self._bounds(nest, tier, outside, many, block, compute)
            key = self._keyed(cycles, moved)
            fits = self._resident_bytes(nest, tier, many, block) <= tier.usable_bytes
            better = fits & ((chosen < 0) | (key[0] < least[0]) | ((key[0] == least[0]) & (key[1] < least[1])))
            least = where(better, key[0], least[0]), where(better, key[1], least[1])
            chosen = np.where(better, index, chosen)
        first, second = (bound.values for bound in least)
        promising: list[list[tuple[_Spent, Outer]]] = []
        for layer in range(len(shapes.b)):
            fitting = np.flatnonzero((owner == layer) & (chosen >= 0))
            ranked = fitting[np.lexsort((second[fitting], first[fitting]))][:_MOST]
            promising.append(
                [
                    (
                        (int(first[number]), int(second[number])),
                        Outer(
                            tier,
                            self._around[int(chosen[number])],
                            {axis: lengths[int(number)] for axis, lengths in block.items()},
                        ),
                    )
                    for number in ranked
                ]
            )
        return promising

    def _resident_bytes(self, nest: Nest, tier: Tier, shapes: Shapes, block: Sizes) -> Integer:
        """What a tier must hold at a time; results as wide as the accumulators."""
        needed = 0
        for name in nest.tensors:
            if name in tier.keeps:
                words = shapes.share(name, resident(nest, name, shapes.sizes, block))
                needed = needed + self._machine.precision.bytes("psum" if name in nest.results else name, words)
        return needed

    def _bounds(
        self, nest: Nest, tier: Tier, outside: Tier, shapes: Shapes, block: Sizes, compute: Integer
    ) -> tuple[Integer, Integer]:
        """Cycles, and bytes from and to the outside, that no blocks within a tier's blocks can do better than."""
        stored = self._machine.precision.bytes
        loops = trips(shapes.sizes, block)
        edge = {axis: last_block(shapes.sizes[axis], block[axis], loops[axis]) for axis in "bkn"}
        filled = passed = delivered = first_and_last = 0

        def crossing(name: str, often: Integer, source: Tier) -> Integer:
            if source.width_bytes:
                # In rows of its blocks, of which what is inside makes smaller ones at most.
                measure = Accesses(shapes, self._machine.precision, source.width_bytes)
                once, again = (measure.whole(name, kind, shapes.sizes, [block]) for kind in (name, "psum"))
                crossed = once * often if name in nest.operands else once + 2 * again * (often - 1)
                return source.width_bytes * crossed
            words = shapes.words[name]
            if name in nest.operands:
                return stored(name, words * often)
            return stored(name, words) + 2 * stored("psum", words * (often - 1))

        for name in nest.tensors:
            comes, blocks = name in nest.operands, loops[reused_along(name)]
            if name in tier.keeps:
                filled = filled + crossing(name, visits(nest, name, shapes.sizes, block), outside)
                delivered = delivered + crossing(name, blocks, tier)
                lengths = block if comes else edge
                size = block_bytes(name, shapes, lengths, self._machine.precision, outside.width_bytes)
                first_and_last = first_and_last + size
            else:
                passed = passed + crossing(name, blocks, outside)
        inner = maximum(compute, tier.transfer_cycles(delivered))
        waiting = first_and_last if tier.double_buffered else filled
        moved = filled + passed
        return maximum(inner + outside.transfer_cycles(waiting), outside.transfer_cycles(moved)), moved

    def _best(self, runs: Sequence[Run], shapes: Shapes, beyond: tuple[Tier, ...]) -> tuple[_Spent, Run]:
        """The first of the best."""
        around = Surroundings.of(self._machine, beyond)
        return min(((self._keyed(*spent(run, shapes, around)), run) for run in runs), key=lambda pair: pair[0])

    def _keyed(self, cycles: Any, moved: Any) -> tuple[Any, Any]:
        """What is least first; given in that order, cycles first."""
        return (cycles, moved) if self._objective == "cycles" else (moved, cycles)


def _worth_it(bound: _Spent, best: _Spent) -> bool:
    return 100 * bound[0] < (100 - _PERCENT) * best[0]


def _fitting(runs: list[Run] | Unfit) -> list[Run]:
    return [] if isinstance(runs, Unfit) else runs


def _one(shapes: Shapes, layer: int) -> Shapes:
    return shapes.each(lambda values: int(values[layer]))


def _numbers(shapes: Shapes, block: Sizes) -> _Numbers:
    """A block as a layer of its own, as ``Shapes.of`` takes it."""
    b, k, n = (block[axis] for axis in "bkn")
    return b, k, n, shapes.share("x", b * k)
