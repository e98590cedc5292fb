"""The edges of the array: operands enter skewed (row r is r cycles late, column c is c cycles late) and leave so."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jaxtyping import Shaped


def skew(values: Shaped[Array, "lanes length"], cycles: int) -> Shaped[Array, "lanes cycles"]:
    """Lane ``j`` of the edge in cycle ``t``: ``values[j, t - j]``, zero while nothing enters.

    ``cycles`` must be at least ``length + lanes - 1``. The rows of a padded matrix, read one word short, slant.
    """
    lanes, length = values.shape
    padded = jnp.pad(values, ((0, 0), (0, cycles + 1 - length)))
    return padded.reshape(-1)[: lanes * cycles].reshape(lanes, cycles)


def unskew(edge: Shaped[Array, "lanes cycles"], length: int, delay: int) -> Shaped[Array, "lanes length"]:
    """The inverse of ``skew`` for values that leave ``delay`` cycles after lane 0's first entry."""
    lanes, cycles = edge.shape
    return jnp.pad(edge.reshape(-1), (0, lanes)).reshape(lanes, cycles + 1)[:, delay : delay + length]


def pad_to(values: Shaped[Array, "m n"], rows: int, cols: int) -> Shaped[Array, "rows cols"]:
    """Zero-pads at the end, up to whole tiles."""
    return jnp.pad(values, ((0, rows - values.shape[0]), (0, cols - values.shape[1])))
