"""What the array does with a layer that is cut into blocks: each block is a run of its own (``closed_form``)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jaxgrad.arithmetic import Integer
from jaxgrad.costs import closed_form
from jaxgrad.costs.closed_form import Array
from jaxgrad.costs.nests import Sizes, reused_along, trips
from jaxgrad.mapping import AXES, Mapping, named


class _Part(NamedTuple):
    """Blocks of one size: how many, and their size along each axis."""

    count: Integer
    sizes: Sizes


def cycles(mappings: Sequence[Mapping], sizes: Sizes, block: Sizes, array: Array) -> Integer:
    """Clock cycles of the array over all blocks: every mapping once on each, one after the other."""
    total = 0
    for part in _parts(sizes, block):
        for mapping in mappings:
            s, p, q = (part.sizes[axis] for axis in mapping.axes)
            total = total + part.count * closed_form.cycles(mapping.keeps, mapping.order, s, p, q, array)
    return total


def counts(mappings: Sequence[Mapping], sizes: Sizes, block: Sizes, array: Array) -> dict[str, Integer]:
    """All counters of the array over all blocks, by name.

    A sum that is spread over several blocks is read back from the scratchpad for each but the first, as partial sums,
    or as weight gradients where an output-stationary pass drained them.
    """
    totals: dict[str, Integer] = {}

    def add(name: str, count: Integer) -> None:
        totals[name] = totals.get(name, 0) + count

    for part in _parts(sizes, block):
        for mapping in mappings:
            s, p, q = (part.sizes[axis] for axis in mapping.axes)
            events = closed_form.events(mapping.keeps, mapping.order, s, p, q, array)
            for name, values in named(events, mapping).items():
                for value in values:
                    add(name, part.count * value)
    loops = trips(sizes, block)
    for product in itertools.chain.from_iterable(mapping.products for mapping in mappings):
        first, second = AXES[product.result]
        again = (loops[reused_along(product.result)] - 1) * sizes[first] * sizes[second]
        add("dw_reads" if product == ("os", "dw") else "psum_reads", again)
    return totals


def _parts(sizes: Sizes, block: Sizes) -> Iterator[_Part]:
    """The full blocks and those at the edges, by size; in arrays a count may be 0."""
    loops = trips(sizes, block)
    along = {
        axis: ((loops[axis] - 1, block[axis]), (1, sizes[axis] - (loops[axis] - 1) * block[axis])) for axis in "bkn"
    }
    for b, k, n in itertools.product(*along.values()):
        count = b[0] * k[0] * n[0]
        if not (isinstance(count, int) and count == 0):
            yield _Part(count, {"b": b[1], "k": k[1], "n": n[1]})
