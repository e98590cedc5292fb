"""What RAD draws from a key: indices along an axis, with replacement, and random signs.

The same key draws the same, so the backward pass draws again instead of keeping what was drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float, Int


class Shared(NamedTuple):
    """Indices drawn once for all rows, each by how often it was drawn: shapes do not depend on what was.

    Args:
        order: a permutation of all indices, the distinct ones that were drawn before the others.
        counts: how often each of the first ``k`` of ``order`` was drawn; 0 for those that fill up.
    """

    order: Int[Array, " d"]
    counts: Int[Array, " k"]

    @property
    def indices(self) -> Int[Array, " k"]:
        return self.order[: self.counts.size]


def shared(key: Array, size: int, draws: int) -> Shared:
    """So many indices below ``size``, uniformly and with replacement."""
    drawn = jax.random.randint(key, (draws,), 0, size)
    counts = jnp.zeros(size, jnp.int32).at[drawn].add(1)
    order = jnp.argsort(counts == 0, stable=True)
    return Shared(order, counts[order[:draws]])


def separate(key: Array, rows: int, size: int, draws: int, channels: int) -> Int[Array, "rows draws channels"]:
    """The same, independently for each row and channel."""
    return jax.random.randint(key, (rows, draws, channels), 0, size)


def signs(key: Array, size: int, columns: int, dtype: DTypeLike) -> Float[Array, "size columns"]:
    """Independent +1 and -1, equally likely."""
    return jax.random.rademacher(key, (size, columns), dtype)


def spread(
    kept: Float[Array, "rows draws channels"], indices: Int[Array, "rows draws channels"], size: int
) -> Float[Array, "rows size channels"]:
    """What was kept, at its indices among zeros; where one was drawn twice, twice as much."""
    rows, _, channels = kept.shape
    row, channel = jnp.arange(rows)[:, None, None], jnp.arange(channels)
    return jnp.zeros((rows, size, channels), kept.dtype).at[row, indices, channel].add(kept)


def scaled(gradient: Array, factor: Array | float) -> Array:
    """A gradient times a factor that narrow formats do not have: in fp32 at least, or the mean would be off by that."""
    return gradient * jnp.asarray(factor, jnp.promote_types(gradient.dtype, jnp.float32))
