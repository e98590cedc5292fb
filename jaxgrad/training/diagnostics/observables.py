"""Observables of the weights: norms, distances, and bounded functions of them, whose laws tell whether they are
stationary."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.flatten_util import ravel_pytree
from jaxtyping import Float


class Norms(NamedTuple):
    """Of all entries of a pytree together."""

    l2: Float[Array, ""]
    l1: Float[Array, ""]
    linf: Float[Array, ""]


def norms(tree: Any) -> Norms:
    """The three norms.

    >>> tuple(map(float, norms({"w": jnp.array([3.0, 0.0]), "b": jnp.array(-4.0)})))
    (5.0, 7.0, 4.0)
    """
    return Norms(optax.tree.norm(tree), optax.tree.norm(tree, ord=1), optax.tree.norm(tree, ord=jnp.inf))


def distance(one: Any, other: Any) -> Float[Array, ""]:
    """Euclidean, between two alike pytrees."""
    return optax.tree.norm(optax.tree.sub(one, other))


def projections(params: Any, scale: float | Array, *, count: int = 4, seed: int = 0) -> Float[Array, " count"]:
    """``tanh(w . p / scale)`` for some fixed w of random signs: bounded functions of all weights.

    Args:
        params: p.
        scale: such as the norm of the first p, with which the arguments of tanh are about 1.
        count: how many.
        seed: of the signs; the same ones for the same shapes.
    """

    flat, _ = ravel_pytree(params)  # the signs of all leaves at once: random bits take long to compile

    def projection(key: Array) -> Array:
        return jnp.tanh(jax.random.rademacher(key, flat.shape, flat.dtype) @ flat / scale)

    return jax.lax.map(projection, jax.random.split(jax.random.key(seed), count))
