"""How far the updates that training makes go down the slope of the loss, in the mean over batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import Float

from jaxgrad.training.diagnostics.gradients import Loss, Moments


def mean_descent(
    loss: Loss, params: Any, batches: Any, update: Callable[[Any], Any], population: float | Array = math.inf
) -> tuple[Moments, Float[Array, ""]]:
    """``moments``, and the mean of ``grad f . u`` over the updates u that batches make, unbiased, in the same pass.

    An update of a batch meets the gradients of the others; its own counts as often as it is one of all batches.

    >>> loss = lambda x, c: jnp.mean((x - c) ** 2) / 2
    >>> centres = jnp.array([[1.0, 3.0], [5.0, 7.0]])
    >>> _, descent = mean_descent(loss, jnp.float32(0), centres, lambda gradient: -0.1 * gradient, population=2)
    >>> round(float(descent), 6)  # of all batches: -0.1 |grad f|^2
    -1.6

    Args:
        loss, params, batches: as for ``moments``: two whole batches or more.
        update: from the gradient of a batch to the update that training makes of it.
        population: see ``noise``.
    """

    def add(so_far: tuple[Moments, Any, Array], batch: Any) -> tuple[tuple[Moments, Any, Array], None]:
        found, updates, along = so_far
        value, gradient = jax.value_and_grad(loss)(params, batch)
        change = update(gradient)
        along += optax.tree.vdot(gradient, change)
        return (found.with_batch(value, gradient), optax.tree.add(updates, change), along), None

    start = (Moments.none(params), optax.tree.zeros_like(params), jnp.zeros(()))
    (found, updates, along), _ = lax.scan(add, start, batches)
    count, chance = found.batches, 1 / jnp.asarray(population)
    others = (optax.tree.vdot(found.gradient, updates) - along / count) / (count - 1)
    return found, chance * along / count + (1 - chance) * others
