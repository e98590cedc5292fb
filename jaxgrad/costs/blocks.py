"""What the array does with a layer that is cut into blocks: each block is a run of its own (``closed_form``)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from jaxgrad.array import closed_form, layers
from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import CYCLES, READS, SRAM, Key
from jaxgrad.array.mapping import AXES, Mapping
from jaxgrad.base.arithmetic import Integer, is_real, last_block, stacked
from jaxgrad.costs.nests import Sizes, reused_along, trips


class _Part(NamedTuple):
    """Blocks of one size: how many, and their size along each axis."""

    count: Integer
    sizes: Sizes


def cycles(mappings: Sequence[Mapping], sizes: Sizes, block: Sizes, array: Array) -> Integer:
    """Clock cycles of the array over all blocks: every mapping once on each, one after the other."""

    def of(part: Sizes) -> dict[Key, Integer]:
        spent = 0
        for mapping in mappings:
            s, p, q = (part[axis] for axis in mapping.axes)
            spent = spent + closed_form.cycles(mapping.keeps, mapping.order, s, p, q, array)
        return {CYCLES: spent}

    return _over_blocks(of, sizes, block)[CYCLES]


def counts(mappings: Sequence[Mapping], sizes: Sizes, block: Sizes, array: Array) -> dict[Key, Integer]:
    """All counters of the array over all blocks.

    A sum that is spread over several blocks is read back from the scratchpad for each but the first, as partial sums,
    or as weight gradients where an output-stationary pass drained them.
    """

    totals = _over_blocks(lambda part: layers.counts(mappings, part, array), sizes, block)
    loops = trips(sizes, block)
    for product in itertools.chain.from_iterable(mapping.products for mapping in mappings):
        first, second = AXES[product.result]
        again = (loops[reused_along(product.result)] - 1) * sizes[first] * sizes[second]
        key = Key(SRAM, product.counted_as, READS)
        totals[key] = totals.get(key, 0) + again
    return totals


def _over_blocks(of: Callable[[Sizes], dict[Key, Integer]], sizes: Sizes, block: Sizes) -> dict[Key, Integer]:
    """The sum over all blocks of what one of them takes."""
    parts = list(_parts(sizes, block))
    if is_real(parts[0].count):
        # A relaxation is compiled, and differentiated: all parts at once make an eighth of the code.
        together = stacked([[part.count, *part.sizes.values()] for part in parts])
        count, *lengths = together
        return {key: (count * value).sum(0) for key, value in of(dict(zip("bkn", lengths, strict=True))).items()}
    totals: dict[Key, Integer] = {}
    for part in parts:
        for key, value in of(part.sizes).items():
            totals[key] = totals.get(key, 0) + part.count * value
    return totals


def _parts(sizes: Sizes, block: Sizes) -> Iterator[_Part]:
    """The full blocks and those at the edges, by size; in arrays a count may be 0."""
    loops = trips(sizes, block)
    along = {
        axis: ((loops[axis] - 1, block[axis]), (1, last_block(sizes[axis], block[axis], loops[axis]))) for axis in "bkn"
    }
    for b, k, n in itertools.product(*along.values()):
        count = b[0] * k[0] * n[0]
        if not (isinstance(count, int) and count == 0):
            yield _Part(count, {"b": b[1], "k": k[1], "n": n[1]})
