"""What a step changes of the loss, and whether its two parts balance: descent, and the rise from curvature.

``f(p + u) - f(p)`` is ``grad f . u + u^T H u / 2`` to second order. Where the law of the weights is stationary the
mean change is 0, hence ``R = -(E[u^T H u] / 2) / E[grad f . u]`` is 1, although the gradient is not 0. For plain SGD,
u being ``-rate g_b``, R is ``(rate / 2) E[g_b^T H g_b] / |grad f|^2``. Source: Zhang et al., arXiv 2110.06256.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import ArrayLike, Float

from jaxgrad.training.diagnostics.curvature import hessian_product
from jaxgrad.training.diagnostics.gradients import Loss, batch_weights, mean_loss


class Change(NamedTuple):
    """The change of the loss that an update makes; of several updates, an array of them each.

    Args:
        first: ``grad f . u``.
        second: ``u^T H u / 2``.
    """

    first: Float[Array, "..."]
    second: Float[Array, "..."]

    @property
    def expected(self) -> Float[Array, "..."]:
        """To second order."""
        return self.first + self.second


def expected_change(
    loss: Loss, params: Any, batches: Any, update: Any, weights: Float[ArrayLike, " n"] | None = None
) -> Change:
    """Of an update of the parameters, to second order; several at once under ``vmap``.

    Args:
        loss, params, batches, weights: as for ``moments``: of the examples over which f is the mean.
        update: u, like the parameters.
    """
    gradient, product = hessian_product(loss, params, batches, update, weights)
    first, form = (optax.tree.vdot(update, vector) for vector in (gradient, product))
    return Change(jnp.asarray(first), jnp.asarray(form) / 2)


def measured_change(
    loss: Loss, params: Any, batches: Any, update: Any, weights: Float[ArrayLike, " n"] | None = None
) -> Float[Array, ""]:
    """``f(p + u) - f(p)``; arguments as for ``expected_change``."""
    after = optax.tree.add(params, update)
    return mean_loss(loss, after, batches, weights) - mean_loss(loss, params, batches, weights)


def balance(of: Change) -> Float[Array, ""]:
    """R of one update, or of the mean over several.

    >>> float(balance(Change(jnp.array([-1.0, -3.0]), jnp.array([2.0, 1.0]))))
    0.75
    """
    return -jnp.mean(of.second) / jnp.mean(of.first)


def sgd_balance(
    loss: Loss, params: Any, batches: Any, rate: float | Array, weights: Float[ArrayLike, " n"] | None = None
) -> Float[Array, ""]:
    """R of plain SGD, exact: the mean over all batches, each with the Hessian of all of them: n^2 gradients' time.

    Args:
        loss, params, batches, weights: as for ``moments``: all examples, in batches as training has them.
        rate: the learning rate.
    """
    shares = batch_weights(batches, weights)

    def change(batch: Any) -> Change:
        update = optax.tree.scale(-rate, jax.grad(loss)(params, batch))
        return expected_change(loss, params, batches, update, weights)

    changes = lax.map(change, batches)
    return balance(jax.tree.map(lambda values: values * shares, changes))
