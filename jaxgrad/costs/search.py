"""The best blocks, loops and held tensors for many layers at once, by looking at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgrad.checks import one_of
from jaxgrad.costs import blocks
from jaxgrad.costs.closed_form import Array
from jaxgrad.costs.integers import Integer, ceil_div, minimum
from jaxgrad.costs.nests import Sizes
from jaxgrad.costs.orders import Nests
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, needed_bytes, stall_cycles
from jaxgrad.hardware import Precision
from jaxgrad.mapping import Mapping

OBJECTIVES: tuple[str, ...] = ("cycles", "dram")
_EVERY = (1, 2, 3, 4, 6, 8, 12, 16)  # into how many parts an axis is cut; then by powers of two


class Alternatives(NamedTuple):
    """The ways in which the array can compute a block: one mapping out of each of these."""

    choices: tuple[tuple[Mapping, ...], ...]

    def best(self, sizes: Sizes, block: Sizes, array: Array) -> tuple[Mapping, ...]:
        """The fastest, for one layer."""
        return tuple(
            min(choice, key=lambda mapping: blocks.cycles([mapping], sizes, block, array)) for choice in self.choices
        )

    def cycles(self, sizes: Sizes, block: Sizes, array: Array) -> Integer:
        """Cycles of the fastest, for many."""
        return sum(
            minimum(*(blocks.cycles([mapping], sizes, block, array) for mapping in choice)) for choice in self.choices
        )


class Run(NamedTuple):
    """How one product, or two together, are computed: the outcome of a search.

    Args:
        mappings: how the array computes a block.
        nests: the loops over the blocks; two where dX and dW alternate.
        block: lengths of a block by axis.
    """

    mappings: tuple[Mapping, ...]
    nests: Nests
    block: dict[str, int]


class Found(NamedTuple):
    """The best run for each layer, and what it was chosen by."""

    runs: tuple[Run, ...]
    cycles: tuple[int, ...]
    dram_bytes: tuple[int, ...]


class Unfit(ValueError):
    """No choice fits into the scratchpad: for which layer, and by how many bytes the smallest one is too large."""

    def __init__(self, layer: int, lacking_bytes: int) -> None:
        super().__init__(f"layer {layer} lacks {lacking_bytes} bytes")
        self.layer, self.lacking_bytes = layer, lacking_bytes


def search(
    families: Sequence[Nests],
    alternatives: Alternatives,
    shapes: Shapes,
    array: Array,
    storage: Storage,
    precision: Precision,
    objective: str = "cycles",
) -> Found:
    """The best of all families and all block sizes, for each layer.

    Args:
        families: loop nests to choose from.
        alternatives: what the array can do with a block.
        shapes: of the layers, one-dimensional arrays.
        array, storage, precision: the hardware.
        objective: what is least: ``cycles`` (stalls included) or ``dram`` (bytes); the other one breaks a tie.

    Raises:
        Unfit: a layer fits in no way.
    """
    one_of("objective", objective, OBJECTIVES)
    many, block, owner = _candidates(shapes, array)
    compute = alternatives.cycles(many.sizes, block, array)
    impossible = np.iinfo(np.int64).max
    best = np.full((2, len(owner)), impossible, compute.dtype)
    chosen = np.full(len(owner), -1)
    least_spare = np.full(len(owner), -impossible, compute.dtype)
    for index, nests in enumerate(families):
        spare = storage.spare_bytes(needed_bytes(nests, many, block, precision))
        least_spare = np.maximum(least_spare, spare)
        moved = dram_bytes(dram_words(nests, many, block, precision, spare), precision)
        cycles = compute + stall_cycles(compute, moved, nests, many, block, storage, precision)
        key = (cycles, moved) if objective == "cycles" else (moved, cycles)
        better = (spare >= 0) & ((key[0] < best[0]) | ((key[0] == best[0]) & (key[1] < best[1])))
        best = np.where(better, key, best)
        chosen = np.where(better, index, chosen)
    runs: list[Run] = []
    winners: list[tuple[int, int]] = []
    for layer in range(len(shapes.b)):
        mine = np.flatnonzero(owner == layer)
        winner = mine[np.lexsort((best[1][mine], best[0][mine]))[0]]
        if chosen[winner] < 0:
            raise Unfit(layer, -int(least_spare[mine].max()))
        size = {axis: int(lengths[winner]) for axis, lengths in block.items()}
        whole = {axis: int(lengths[winner]) for axis, lengths in many.sizes.items()}
        runs.append(Run(alternatives.best(whole, size, array), families[int(chosen[winner])], size))
        winners.append((int(best[0][winner]), int(best[1][winner])))
    first, second = zip(*winners, strict=True)
    return Found(tuple(runs), first, second) if objective == "cycles" else Found(tuple(runs), second, first)


def block_sizes(size: int, granule: int) -> list[int]:
    """Sizes into which an axis may be cut, whole tiles of ``granule`` each; the whole axis is the first."""
    tiles = ceil_div(size, granule)
    parts = [count for count in _EVERY if count < tiles]
    while parts and parts[-1] * 2 < tiles:
        parts.append(parts[-1] * 2)
    sizes = (min(size, granule * ceil_div(tiles, count)) for count in (*parts, tiles))
    return list(dict.fromkeys([size, *sizes]))


def _candidates(shapes: Shapes, array: Array) -> tuple[Shapes, dict[str, np.ndarray], np.ndarray]:
    """Every choice of block sizes for every layer: the layer's own shape, the block, and the layer's number."""
    blocks_of: list[np.ndarray] = []
    for b, k, n in zip(shapes.b, shapes.k, shapes.n, strict=True):
        axes = block_sizes(int(b), 1), block_sizes(int(k), array.cols), block_sizes(int(n), array.rows)
        grid = np.meshgrid(*(np.asarray(axis, shapes.b.dtype) for axis in axes), indexing="ij")
        blocks_of.append(np.stack([axis.ravel() for axis in grid]))
    owner = np.repeat(np.arange(len(blocks_of)), [part.shape[1] for part in blocks_of])
    block = dict(zip("bkn", np.concatenate(blocks_of, axis=1), strict=True))
    return Shapes(*(values[owner] for values in shapes)), block, owner
