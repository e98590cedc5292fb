"""Every block that a set of cuts makes of a layer, on many arrays at once: a table of lengths for each axis."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgrad.base.arithmetic import ceil_div, minimum
from jaxgrad.costs.cuts import Cuts, granules
from jaxgrad.costs.transfers import Shapes
from jaxgrad.designs.questions import Arrays

_WIDTH = 8  # tables are as long as a multiple of this: one compiled size serves for many layers
_MORE = 1 << 40  # more parts than an axis has tiles: single tiles


def counts(shapes: Shapes, cuts: Cuts) -> np.ndarray:
    """Into how many parts the longest axis of some layers may be cut, and what stands for more than it has tiles."""
    listed = cuts.counts(int(max(np.max(size) for size in shapes.sizes.values())))
    return np.array([*listed, *[_MORE] * (-len(listed) % _WIDTH)], np.int64)


def blocks(shapes: Shapes, arrays: Arrays, cuts: Cuts) -> np.ndarray:
    """How many different blocks each array can choose from, over all layers: what a search takes, [G]."""
    total = np.zeros(len(arrays.rows), np.int64)
    for sizes in zip(*(np.asarray(shapes.sizes[axis]) for axis in "bkn"), strict=True):
        number = np.ones_like(total)
        for size, granule in zip(sizes, granules(arrays).values(), strict=True):
            tiles = np.broadcast_to(-(-int(size) // np.asarray(granule)), total.shape)
            number = number * [len({-(-most // count) for count in cuts.counts(int(most))}) for most in tiles]
        total += number
    return total


class Grid(NamedTuple):
    """The blocks of one layer, those with the longest b first, then with the longest k, as ``costs.search`` lists them.

    Args:
        lengths: by axis, of the blocks along it, the longest first: [L, G].
        numbers: by axis, how many of them there are, [G].
    """

    lengths: dict[str, Any]
    numbers: dict[str, Any]

    @classmethod
    def of(cls, shapes: Shapes, arrays: Arrays, counts: Any) -> Grid:
        """The blocks of a layer, in JAX's arrays.

        Args:
            shapes: of one layer.
            arrays: G of them.
            counts: of parts, see ``counts``.
        """
        lengths, numbers = {}, {}
        for axis, granule in granules(arrays).items():
            tiles = jnp.broadcast_to(ceil_div(shapes.sizes[axis], granule), arrays.rows.shape)
            parts = ceil_div(tiles, counts[:, None])
            new = jnp.concatenate([jnp.ones_like(parts[:1], bool), parts[1:] != parts[:-1]])
            # Each length once: fewer tiles come later already, so that a sort only closes the gaps.
            parts = -jnp.sort(jnp.where(new, -parts, 0), axis=0)
            lengths[axis] = minimum(shapes.sizes[axis], granule * jnp.maximum(parts, 1))
            numbers[axis] = new.sum(0, dtype=jnp.int32)
        return cls(lengths, numbers)

    @property
    def size(self) -> Any:
        """How many blocks there are, [G]."""
        return self.numbers["b"] * self.numbers["k"] * self.numbers["n"]

    def block(self, index: Any) -> dict[str, Any]:
        """Lengths of the blocks of those numbers, [..., G]."""
        number = self.lengths["b"].dtype
        rest, lengths = jnp.asarray(index, number), {}
        for axis in "nkb":
            # Half a unit from any integer, so that rounding does not matter.
            above = jnp.floor((rest + 0.5) / self.numbers[axis])
            lengths[axis] = _picked(self.lengths[axis], rest - above * self.numbers[axis])
            rest = above
        return {axis: lengths[axis] for axis in "bkn"}


def _picked(table: Any, place: Any) -> Any:
    """Entries of a table [L, G] by their places [..., G]: comparisons, which vectorise where a gather does not."""
    entries = table[0]
    for number in range(1, table.shape[0]):
        entries = jnp.where(place < number, entries, table[number])
    return jnp.broadcast_to(entries, place.shape)
