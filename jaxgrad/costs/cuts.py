"""Into how many parts the axes of a layer are cut: the sets of cuts that searches look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from jaxgrad.array.closed_form import Array
from jaxgrad.base.arithmetic import Integer, ceil_div, minimum
from jaxgrad.costs.nests import Sizes


class Cuts(NamedTuple):
    """A set of cuts: an axis is cut into so many parts of whole tiles, or into single tiles.

    Args:
        first: the least counts of parts, rising from 1.
        factor: from the last of them on, each count is so many times the one before.

    >>> FULL.counts(20), COARSE.counts(20)
    ([1, 2, 3, 4, 6, 8, 12, 16, 20], [1, 4, 16, 20])
    """

    first: tuple[int, ...]
    factor: int

    def counts(self, tiles: int) -> list[int]:
        """Into how many parts an axis of so many tiles may be cut, the fewest first."""
        beyond = (self.first[-1] * self.factor**power for power in itertools.count(1))
        return [*itertools.takewhile(lambda count: count < tiles, itertools.chain(self.first, beyond)), tiles]


FULL = Cuts((1, 2, 3, 4, 6, 8, 12, 16), 2)
"""What ``jaxgrad run`` looks at, and sweeps by default."""

COARSE = Cuts((1,), 4)
"""A sixth to a tenth of these blocks: for descents, and for a quick look at a space."""

CUTS: dict[str, Cuts] = {"full": FULL, "coarse": COARSE}


class Splits(NamedTuple):
    """Into how many parts each axis is cut; arrays, or one choice."""

    b: Integer
    k: Integer
    n: Integer


def granules(array: Array) -> dict[str, Integer]:
    """Lengths of a tile along each axis; blocks are made of whole ones."""
    return {"b": 1, "k": array.cols, "n": array.rows}


def all_splits(tiles: Sizes, cuts: Cuts) -> Iterator[Splits]:
    """Every choice for an array on which the axes have so many tiles, coarse ones first."""
    return itertools.starmap(Splits, itertools.product(*(cuts.counts(tiles[axis]) for axis in "bkn")))


def block_length(size: Integer, granule: Integer, count: Integer) -> Integer:
    """The length of a block where an axis is cut into ``count`` parts: whole tiles, and no more than the axis."""
    return minimum(size, granule * ceil_div(ceil_div(size, granule), count))


def block(sizes: Sizes, splits: Splits, array: Array) -> dict[str, Integer]:
    """Lengths of the blocks along all axes."""
    return {
        axis: block_length(sizes[axis], granule, getattr(splits, axis)) for axis, granule in granules(array).items()
    }
