"""What the array does with a layer that is cut into blocks: each block is a run of its own (``closed_form``)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from jaxgrad.array import closed_form, layers
from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import CYCLES, READS, SRAM, Key
from jaxgrad.array.mapping import AXES, Mapping
from jaxgrad.base.arithmetic import Integer, ceil_div, is_traced, last_block, stacked
from jaxgrad.costs.nests import Sizes, reused_along, trips


class Part(NamedTuple):
    """Blocks of one size: how many, and their size along each axis."""

    count: Integer
    sizes: Sizes


def cycles(
    mappings: Sequence[Mapping],
    sizes: Sizes,
    block: Sizes,
    array: Array,
    outer: Sequence[Sizes] = (),
    *,
    unrolled: bool = False,
) -> Integer:
    """Clock cycles of the array over all blocks: every mapping once on each, one after the other.

    Args:
        mappings: how the array computes a block.
        sizes: of the layer.
        block: of one block.
        array: its sizes.
        outer: blocks that the layer is cut into first, the largest first, each cut into the next.
        unrolled: compiled, blocks of each size by themselves: faster, and more code.
    """

    def of(part: Sizes) -> dict[Key, Integer]:
        spent = 0
        for mapping in mappings:
            s, p, q = (part[axis] for axis in mapping.axes)
            spent = spent + closed_form.cycles(mapping.keeps, mapping.order, s, p, q, array)
        return {CYCLES: spent}

    return _over_blocks(of, sizes, (*outer, block), unrolled=unrolled)[CYCLES]


def counts(
    mappings: Sequence[Mapping], sizes: Sizes, block: Sizes, array: Array, outer: Sequence[Sizes] = ()
) -> dict[Key, Integer]:
    """All counters of the array over all blocks; arguments as ``cycles`` has them.

    A sum that is spread over several blocks is read back from the scratchpad for each but the first, as partial sums,
    or as weight gradients where an output-stationary pass drained them.
    """

    cuts = (*outer, block)
    totals = _over_blocks(lambda part: layers.counts(mappings, part, array), sizes, cuts)
    for product in itertools.chain.from_iterable(mapping.products for mapping in mappings):
        axis, (first, second) = reused_along(product.result), AXES[product.result]
        again = (_along(axis, sizes[axis], cuts) - 1) * sizes[first] * sizes[second]
        key = Key(SRAM, product.counted_as, READS)
        totals[key] = totals.get(key, 0) + again
    return totals


def _over_blocks(
    of: Callable[[Sizes], dict[Key, Integer]], sizes: Sizes, cuts: Sequence[Sizes], *, unrolled: bool = False
) -> dict[Key, Integer]:
    """The sum over all blocks, and blocks of blocks, of what one of the smallest takes."""
    block, *inner = cuts
    if inner:
        return _over_blocks(lambda part: _over_blocks(of, part, inner), sizes, [block])
    every = list(parts(sizes, block))
    if is_traced(every[0].count) and not unrolled:
        # All parts at once make an eighth of the code.
        count, *lengths = stacked([[part.count, *part.sizes.values()] for part in every])
        return {key: (count * value).sum(0) for key, value in of(dict(zip("bkn", lengths, strict=True))).items()}
    totals: dict[Key, Integer] = {}
    for part in every:
        for key, value in of(part.sizes).items():
            totals[key] = totals.get(key, 0) + part.count * value
    return totals


def _along(axis: str, length: Integer, cuts: Sequence[Sizes]) -> Integer:
    """How many of the smallest blocks lie along an axis."""
    block, *inner = cuts
    count = ceil_div(length, block[axis])
    if not inner:
        return count
    last = last_block(length, block[axis], count)
    return (count - 1) * _along(axis, block[axis], inner) + _along(axis, last, inner)


def parts(sizes: Sizes, block: Sizes) -> Iterator[Part]:
    """The full blocks and those at the edges, by size; in arrays a count may be 0."""
    loops = trips(sizes, block)
    along = {
        axis: ((loops[axis] - 1, block[axis]), (1, last_block(sizes[axis], block[axis], loops[axis]))) for axis in "bkn"
    }
    for b, k, n in itertools.product(*along.values()):
        count = b[0] * k[0] * n[0]
        if not (isinstance(count, int) and count == 0):
            yield Part(count, {"b": b[1], "k": k[1], "n": n[1]})
