"""What is counted where words cross into a memory: the words, or accesses as wide as the memory outside of it.

A memory that has a width moves blocks row by row, a row being a run along a tensor's second axis, as it lies in memory.
Each row takes whole accesses, however little of the last one it needs (Timeloop's vector accesses, by row).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from jaxgrad.array.mapping import AXES
from jaxgrad.base.arithmetic import Integer, ceil_div, last_block
from jaxgrad.costs.alternating import words_shared
from jaxgrad.costs.nests import Sizes, visits
from jaxgrad.costs.orders import Nests
from jaxgrad.costs.transfers import Shapes, row_accesses
from jaxgrad.hardware import Precision

Window = Callable[[Sizes], Integer]
"""Steps for which a block of dY stays for its second use, by the sizes of what two alternating nests work on."""


class Measure(Protocol):
    """What crossings are counted in."""

    def row(self, tensor: str, stored: str, length: Integer) -> Integer:
        """Of a row of so many elements, in the format of ``stored`` (``psum`` for unfinished sums)."""
        ...

    def whole(self, tensor: str, stored: str, sizes: Sizes, cuts: Sequence[Sizes]) -> Integer:
        """Of all elements of a tensor, once, in blocks that are cut into blocks: the largest first."""
        ...

    def total(self, tensor: str, crossed: Integer) -> Integer:
        """Of a sum of such."""
        ...


class Words(NamedTuple):
    """Words as memories hold them; elements until they are summed up."""

    shapes: Shapes

    def row(self, tensor: str, stored: str, length: Integer) -> Integer:
        return length

    def whole(self, tensor: str, stored: str, sizes: Sizes, cuts: Sequence[Sizes]) -> Integer:
        first, second = AXES[tensor]
        return sizes[first] * sizes[second]

    def total(self, tensor: str, crossed: Integer) -> Integer:
        return self.shapes.share(tensor, crossed)


class Accesses(NamedTuple):
    """Accesses of ``width_bytes`` each."""

    shapes: Shapes
    precision: Precision
    width_bytes: int

    def row(self, tensor: str, stored: str, length: Integer) -> Integer:
        return row_accesses(tensor, stored, self.shapes, length, self.precision, self.width_bytes)

    def whole(self, tensor: str, stored: str, sizes: Sizes, cuts: Sequence[Sizes]) -> Integer:
        first, second = AXES[tensor]

        def along(length: Integer, cuts: Sequence[Sizes]) -> Integer:
            if not cuts:
                return self.row(tensor, stored, length)
            block, *inner = cuts
            count = ceil_div(length, block[second])
            last = last_block(length, block[second], count)
            return (count - 1) * along(block[second], inner) + along(last, inner)

        return sizes[first] * along(sizes[second], cuts)

    def total(self, tensor: str, crossed: Integer) -> Integer:
        return crossed


def arrivals(nests: Nests, sizes: Sizes, block: Sizes, measure: Measure, window: Window) -> dict[str, Integer]:
    """What comes into a memory that works through ``sizes`` block by block and begins with nothing.

    Of an operand that is all of it as often as the nest visits it, of a sum what comes back unfinished. Two nests whose
    block operations alternate share some blocks of dY.
    """
    came: dict[str, Integer] = {}
    for nest in nests:
        for name in nest.tensors:
            is_sum = name in nest.results
            once = measure.whole(name, "psum" if is_sum else name, sizes, [block])
            came[name] = came.get(name, 0) + once * (visits(nest, name, sizes, block) - int(is_sum))
    if len(nests) > 1:

        def row(length: Integer) -> Integer:
            return measure.row("dy", "dy", length)

        shared = words_shared((sizes["b"], sizes["n"]), (block["b"], block["n"]), window(sizes), row)
        came["dy"] = came["dy"] - shared * visits(nests[0], "dy", sizes, block)
    return came


def accesses(nests: Nests, sizes: Sizes, block: Sizes, measure: Accesses, window: Window) -> Integer:
    """Accesses to the memory outside of one that works through ``sizes``: all that comes, and all that goes there."""
    results = [name for nest in nests for name in nest.results]
    total = 0
    for name, count in arrivals(nests, sizes, block, measure, window).items():
        total = total + count
        if name in results:
            total = total + count + measure.whole(name, name, sizes, [block])
    return total
