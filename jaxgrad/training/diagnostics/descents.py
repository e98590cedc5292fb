"""How far the updates that training makes go down the slope of the loss, in the mean over batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import Float

from jaxgrad.training.diagnostics.gradients import Loss, Moments


class Descent(NamedTuple):
    """What the gradients of some batches say, and the updates that training makes of them.

    Args:
        moments: of the gradients.
        updates: their sum, like the parameters.
        along: sum over the batches of a gradient times the update of the same batch.
    """

    moments: Moments
    updates: Any
    along: Float[Array, ""]

    @classmethod
    def none(cls, params: Any) -> Descent:
        """Before the first batch."""
        return cls(Moments.none(params), optax.tree.zeros_like(params), jnp.zeros(()))

    def with_batch(self, loss: Float[Array, ""], gradient: Any, update: Any) -> Descent:
        """With one whole batch more."""
        along = self.along + optax.tree.vdot(gradient, update)
        return Descent(self.moments.with_batch(loss, gradient), optax.tree.add(self.updates, update), along)

    def mean(self, population: float | Array = math.inf) -> Float[Array, ""]:
        """The mean of ``grad f . u``, unbiased: an update meets the gradients of the other batches, and its own one as
        often as it is one of all batches.

        Args:
            population: see ``noise``.
        """
        count, chance = self.moments.batches, 1 / jnp.asarray(population)
        together = optax.tree.vdot(self.moments.gradient, self.updates)
        others = (together - self.along / count) / (count - 1)
        return chance * self.along / count + (1 - chance) * others


def mean_descent(
    loss: Loss, params: Any, batches: Any, update: Callable[[Any], Any], population: float | Array = math.inf
) -> tuple[Moments, Float[Array, ""]]:
    """``moments``, and the mean of ``grad f . u`` over the updates u that batches make, in the same pass.

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

    def add(so_far: Descent, batch: Any) -> tuple[Descent, None]:
        value, gradient = jax.value_and_grad(loss)(params, batch)
        return so_far.with_batch(value, gradient, update(gradient)), None

    found, _ = lax.scan(add, Descent.none(params), batches)
    return found.moments, found.mean(population)
