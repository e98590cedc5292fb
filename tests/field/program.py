"""One program in the style of a library, to be run with its products on the array and without."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array


class Program(NamedTuple):
    """A function of pytrees, what it is called with, and which of its products are known to be left to XLA.

    Args:
        function: ``(*args) -> pytree``.
        args: what it is called with.
        left: MACs of products that the array does not run, by primitive and the dtype of their left operands.
        lapack: what else it does that is not counted.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    left: Mapping[tuple[str, str], int] = MappingProxyType({})
    lapack: tuple[str, ...] = ()


def normal(*shape: int) -> Array:
    """Numbers that depend on the shape alone."""
    seed = zlib.crc32(str(shape).encode())
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)
