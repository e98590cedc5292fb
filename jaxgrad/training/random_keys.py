"""JAX's random keys as words and back: files, and other processes, have arrays of plain numbers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def is_key(leaf: Any) -> bool:
    """Whether an array is one of random keys."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def words(leaf: Any) -> Any:
    """The words of keys; any other array as it is."""
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def as_in(like: Any, leaf: Any) -> Any:
    """Words made keys where ``like`` has keys; any other array as it is.

    >>> key = jax.random.key(7)
    >>> as_in(key, words(key)) == key, as_in(key, key) == key, as_in(jnp.ones(2), jnp.zeros(2)).tolist()
    (Array(True, dtype=bool), Array(True, dtype=bool), [0.0, 0.0])
    """
    if not is_key(like) or is_key(leaf):
        return leaf
    return jax.random.wrap_key_data(jnp.asarray(leaf), impl=jax.random.key_impl(like))
