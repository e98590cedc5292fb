"""RAD of a product element by element: of what its gradients need, small random parts are kept.

Oktay et al., "Randomized Automatic Differentiation", ICLR 2021 (arXiv 2007.10412), section 5, where a simulation's
memory is that of such products.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from jaxgrad.base.errors import InputError, share


def kept(elements: int, keep: float) -> int:
    """How many of an operand's values ``sampled_product`` keeps: ``ceil(keep d)``, of the decimal number.

    >>> kept(1089, 0.1), kept(100, 0.07)
    (109, 7)
    """
    return math.ceil(Fraction(str(share("keep", keep))) * elements)


def sampled_product(a: ArrayLike, b: ArrayLike, key: Array, keep: float) -> Array:
    """``a * b``, with unbiased gradients from ``k = ceil(keep d)`` of the d values of each operand.

    The product is exact. For da, k indices of b are drawn uniformly and with replacement, and for db as many of a,
    independently; b's values there, times d/k, and 0 elsewhere stand for b, and so for a. So the means of da and db are
    the exact gradients, and of two products in a row too, if their keys are independent. Between the passes 2k values
    and the key are kept instead of 2d. Where k is d, nothing is drawn.

    Args:
        a: floats.
        b: floats of a's shape.
        key: as of ``jax.random.key``; another one for each product.
        keep: the share that is kept, above 0 and at most 1.

    Raises:
        ValueError: the operands' shapes differ, they are not of floats, or ``keep`` is out of its range.

    >>> a, b = jnp.full(8, 2.0), jnp.full(8, 3.0)
    >>> da = jax.grad(lambda a: sampled_product(a, b, jax.random.key(0), 0.25).sum())(a)
    >>> float(da.sum())  # of the exact gradient, 8 times 3: two values, each times 8/2
    24.0
    """
    a, b = jnp.asarray(a), jnp.asarray(b)
    for field, operand in (("a", a), ("b", b)):
        if not jnp.issubdtype(operand.dtype, jnp.floating):
            raise InputError(field, operand.dtype, "give an array of floats")
    if a.shape != b.shape:
        raise InputError("b", b.shape, f"give it the shape of a, {a.shape}")
    draws = kept(a.size, keep)
    return a * b if draws == a.size else _product(a, b, key, draws)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _product(a: Array, b: Array, key: Array, draws: int) -> Array:
    return a * b


def _forward(a: Array, b: Array, key: Array, draws: int) -> tuple[Array, tuple[Array, Array, Array]]:
    of_a, of_b = _indices(key, a.size, draws)
    return a * b, (a.ravel()[of_a], b.ravel()[of_b], key)


def _backward(draws: int, saved: tuple[Array, Array, Array], g: Array) -> tuple[Array, Array, None]:
    some_of_a, some_of_b, key = saved
    of_a, of_b = _indices(key, g.size, draws)
    da = _spread(some_of_b * g.ravel()[of_b], of_b, g.size).reshape(g.shape)
    db = _spread(some_of_a * g.ravel()[of_a], of_a, g.size).reshape(g.shape)
    return da.astype(some_of_a.dtype), db.astype(some_of_b.dtype), None


_product.defvjp(_forward, _backward)


def _indices(key: Array, size: int, draws: int) -> Int[Array, "2 draws"]:
    """Those of a's values that are kept, and those of b's: the same in both passes, from the same key."""
    return jax.random.randint(key, (2, draws), 0, size)


def _spread(values: Float[Array, " draws"], indices: Int[Array, " draws"], size: int) -> Float[Array, " size"]:
    """Values at their indices among zeros, times d/k; what was drawn twice counts twice."""
    return jnp.zeros(size, values.dtype).at[indices].add(values * (size / values.size))
