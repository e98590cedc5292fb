"""The best blocks, loops and held tensors for many layers at once, by looking at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import ACCESSES, CYCLES, Counts
from jaxgrad.array.mapping import Mapping, Result
from jaxgrad.base.arithmetic import Integer, ceil_div, exact, minimum, where
from jaxgrad.base.errors import one_of
from jaxgrad.base.whole import Whole, concatenate
from jaxgrad.costs import blocks
from jaxgrad.costs.cuts import FULL, Cuts, block_length, granules
from jaxgrad.costs.nests import Sizes
from jaxgrad.costs.orders import Nests
from jaxgrad.costs.tiers import Outer
from jaxgrad.costs.transfers import (
    Shapes,
    Storage,
    dram_bytes,
    dram_words,
    exposed_cycles,
    needed_bytes,
    waiting_cycles,
    window_steps,
)
from jaxgrad.costs.widths import Accesses, accesses
from jaxgrad.hardware import Precision

OBJECTIVES: tuple[str, ...] = ("cycles", "dram")


class Alternatives(NamedTuple):
    """The ways in which the array can compute a block: one mapping out of each of these."""

    choices: tuple[tuple[Mapping, ...], ...]

    def best(self, sizes: Sizes, block: Sizes, array: Array) -> tuple[Mapping, ...]:
        """The fastest, for one layer; of those as fast, that of fewer accesses."""

        def spent(mapping: Mapping) -> tuple[int, int]:
            return self.spent(blocks.counts([mapping], sizes, block, array))

        return tuple(next(iter(choice)) if len(choice) == 1 else min(choice, key=spent) for choice in self.choices)

    @staticmethod
    def spent(counts: Counts) -> tuple[Integer, Integer]:
        """What mappings are chosen by: cycles, then accesses."""
        return counts[CYCLES], sum(counts.get(key, 0) for key in ACCESSES)

    def cycles(self, sizes: Sizes, block: Sizes, array: Array, *, unrolled: bool = False) -> Integer:
        """Cycles of the fastest, for many; ``unrolled`` as of ``blocks.cycles``."""
        return sum(
            minimum(*(blocks.cycles([mapping], sizes, block, array, unrolled=unrolled) for mapping in choice))
            for choice in self.choices
        )


class Run(NamedTuple):
    """How one product, or two together, are computed: the outcome of a search.

    Args:
        mappings: how the array computes a block.
        nests: the loops over the blocks; two where dX and dW alternate.
        block: lengths of a block by axis.
        outer: blocks of the memories between scratchpad and DRAM that are used, from the scratchpad outwards.
    """

    mappings: tuple[Mapping, ...]
    nests: Nests
    block: dict[str, int]
    outer: tuple[Outer, ...] = ()

    @property
    def results(self) -> tuple[Result, ...]:
        return tuple(result for nest in self.nests for result in nest.results)


class Found(NamedTuple):
    """The best run of one layer, and what it was chosen by: clock cycles, stalls included, and bytes of DRAM."""

    run: Run
    cycles: int
    dram_bytes: int


class Unfit(NamedTuple):
    """No run of a layer fits into the scratchpad; the smallest lacks so many bytes."""

    lacking_bytes: int


def search(
    families: Sequence[Nests],
    alternatives: Alternatives,
    shapes: Shapes,
    array: Array,
    storage: Storage,
    precision: Precision,
    objective: str = "cycles",
    cuts: Cuts = FULL,
) -> list[Found | Unfit]:
    """The best of all families and all block sizes, for each layer; of equally good ones the first.

    Args:
        families: loop nests to choose from.
        alternatives: what the array can do with a block.
        shapes: of the layers, one-dimensional arrays.
        array, storage, precision: the hardware.
        objective: what is least: ``cycles`` (stalls included) or ``dram`` (bytes); the other one breaks a tie.
        cuts: into how many parts each axis may be cut.
    """
    one_of("objective", objective, OBJECTIVES)
    many, block, owner = candidates(shapes.each(exact).reduced(), array, cuts)
    compute = alternatives.cycles(many.sizes, block, array)
    best = (compute, compute)
    chosen = np.full(len(owner), -1)
    exposed: dict[tuple[tuple[Result, ...], ...], Integer] = {}
    for index, nests in enumerate(families):
        results = tuple(nest.results for nest in nests)
        if results not in exposed:
            exposed[results] = exposed_cycles(nests, many, block, storage, precision)
        spare = storage.spare_bytes(needed_bytes(nests, many, block, precision))
        moved = _moved_bytes(nests, many, block, storage, precision, spare)
        cycles = compute + waiting_cycles(compute, moved, exposed[results], storage)
        key = (cycles, moved) if objective == "cycles" else (moved, cycles)
        better = (spare >= 0) & ((chosen < 0) | (key[0] < best[0]) | ((key[0] == best[0]) & (key[1] < best[1])))
        best = where(better, key[0], best[0]), where(better, key[1], best[1])
        chosen = np.where(better, index, chosen)
    first_key, second_key = (key.values for key in best)
    outcomes: list[Found | Unfit] = []
    for layer in range(len(shapes.b)):
        members = np.flatnonzero(owner == layer)
        winner = int(members[np.lexsort((second_key[members], first_key[members], chosen[members] < 0))[0]])
        if chosen[winner] < 0:
            spares = [storage.spare_bytes(needed_bytes(nests, many, block, precision))[members] for nests in families]
            outcomes.append(Unfit(-max(spare.values.max() for spare in spares)))
            continue
        size = {axis: lengths[winner] for axis, lengths in block.items()}
        whole = {axis: lengths[winner] for axis, lengths in many.sizes.items()}
        run = Run(alternatives.best(whole, size, array), families[int(chosen[winner])], size)
        first, second = best[0][winner], best[1][winner]
        outcomes.append(Found(run, first, second) if objective == "cycles" else Found(run, second, first))
    return outcomes


def _moved_bytes(
    nests: Nests, shapes: Shapes, block: Sizes, storage: Storage, precision: Precision, spare_bytes: Integer
) -> Integer:
    """Bytes to and from the memory outside; if that has a width, those of whole accesses."""
    if not storage.width_bytes:
        return dram_bytes(dram_words(nests, shapes, block, precision, spare_bytes), precision)
    steps, measure = window_steps(block, precision, spare_bytes), Accesses(shapes, precision, storage.width_bytes)
    return storage.width_bytes * accesses(nests, shapes.sizes, block, measure, lambda _: steps)


def block_sizes(size: int, granule: int, cuts: Cuts = FULL) -> list[int]:
    """Sizes into which an axis may be cut, whole tiles of ``granule`` each; the whole axis is the first."""
    counts = cuts.counts(ceil_div(size, granule))
    return list(dict.fromkeys([size, *(block_length(size, granule, count) for count in counts)]))


def candidates(shapes: Shapes, array: Array, cuts: Cuts = FULL) -> tuple[Shapes, dict[str, Whole], np.ndarray]:
    """Every choice of block sizes for every layer: the layer's own shape, the block, and the layer's number."""
    blocks_of: list[np.ndarray] = []
    for sizes in zip(*(shapes.sizes[axis].tolist() for axis in "bkn"), strict=True):
        tile = granules(array)
        axes = (block_sizes(size, tile[axis], cuts) for size, axis in zip(sizes, "bkn", strict=True))
        grid = np.meshgrid(*(exact(axis).values for axis in axes), indexing="ij")
        blocks_of.append(np.stack([axis.ravel() for axis in grid]))
    owner = np.repeat(np.arange(len(blocks_of)), [part.shape[1] for part in blocks_of])
    block = {axis: concatenate(part[index] for part in blocks_of) for index, axis in enumerate("bkn")}
    return shapes.each(lambda values: values[owner]), block, owner
