"""What ``jax.shard_map`` asks of scans and custom-VJP rules: values that vary over the same mesh axes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax


def vary_alike(*arrays: Any) -> tuple[Any, ...]:
    """The same arrays (or Nones), each varying over every manual axis that one of them varies over.

    The transpose of this is a sum over those axes: so the gradients, and the counts, of what all devices share add up
    over the devices, as they do for JAX's own operations. Outside ``shard_map`` it does nothing.
    """
    axes = frozenset().union(*(_varying(array) for array in arrays if array is not None))
    return tuple(None if array is None else _vary(array, axes) for array in arrays)


def varied(tree: Any, *like: Any) -> Any:
    """A pytree, such as what a loop starts with, varying over every manual axis that one of ``like`` varies over."""
    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(structure, vary_alike(*leaves, *like)[: len(leaves)])


def is_varying(*arrays: Any) -> bool:
    """Whether one of some arrays varies over a manual axis."""
    return any(_varying(array) for array in arrays)


def zeros_of(aval: Any) -> Array:
    """Zeros of a traced value's shape and dtype, varying as it does."""
    axes = tuple(sorted(aval.manual_axis_type.varying))
    zeros = jnp.zeros(aval.shape, aval.dtype)
    return lax.pcast(zeros, axes, to="varying") if axes else zeros


def _vary(array: Array, axes: frozenset[str]) -> Array:
    missing = tuple(sorted(axes - _varying(array)))
    return lax.pcast(array, missing, to="varying") if missing else array


def _varying(array: Array) -> frozenset[str]:
    return jax.typeof(array).manual_axis_type.varying
