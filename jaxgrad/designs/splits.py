"""Into how many parts the axes of a layer are cut: the few choices that the coarse search looks at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jaxgrad.array.closed_form import Array
from jaxgrad.base.arithmetic import Integer, ceil_div, minimum
from jaxgrad.costs.nests import Sizes

TILE = 1 << 40
"""More parts than an axis has tiles: it is cut into single tiles."""
_STEP = 4


class Splits(NamedTuple):
    """Into how many parts each axis is cut; arrays, or one choice."""

    b: Integer
    k: Integer
    n: Integer


def all_splits(tiles: Sizes) -> Iterator[Splits]:
    """Every choice for an array on which the axes have so many tiles, coarse ones first."""
    for b in ladder(tiles["b"]):
        for k in ladder(tiles["k"]):
            for n in ladder(tiles["n"]):
                yield Splits(b, k, n)


def ladder(tiles: int) -> list[int]:
    """Into how many parts an axis of so many tiles may be cut."""
    counts = [1]
    while counts[-1] * _STEP < tiles:
        counts.append(counts[-1] * _STEP)
    return [*counts, TILE] if tiles > 1 else counts


def block(sizes: Sizes, splits: Splits, array: Array) -> dict[str, Integer]:
    """Lengths of the blocks: whole tiles, and no more than the axis."""
    granules = {"b": 1, "k": array.cols, "n": array.rows}
    return {
        axis: minimum(
            sizes[axis], granules[axis] * ceil_div(ceil_div(sizes[axis], granules[axis]), getattr(splits, axis))
        )
        for axis in "bkn"
    }
