"""Gradients of batches: their mean, its norm without what noise adds to it, and the noise itself.

Source: Zhang, Li, Sra, Jadbabaie, "Neural Network Weights Do Not Converge to Stationary Points: An Invariant Measure
Perspective", ICML 2022, arXiv 2110.06256. The corrections for batches without common examples are those of sampling
without replacement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import ArrayLike, Float

Loss: TypeAlias = Callable[[Any, Any], Array]
"""(params, batch) to the mean loss of the batch's examples."""


class Moments(NamedTuple):
    """What the gradients of some batches say together.

    Args:
        loss: mean over the examples.
        gradient: mean over the examples, like the parameters.
        scatter: sum over the batches of weight times squared distance from ``gradient``.
        weight: sum of the weights: how many whole batches the examples would fill.
        batches: how many there are.
    """

    loss: Float[Array, ""]
    gradient: Any
    scatter: Float[Array, ""]
    weight: Float[Array, ""]
    batches: Float[Array, ""]

    @classmethod
    def none(cls, params: Any) -> Moments:
        """Before the first batch."""
        zero = jnp.zeros(())
        return cls(zero, optax.tree.zeros_like(params), zero, zero, zero)

    def with_batch(self, loss: Float[Array, ""], gradient: Any, weight: float | Array = 1.0) -> Moments:
        """With one batch more, by Welford's recurrence: exact also where the noise is far below the gradient."""
        total = self.weight + weight
        share = weight / total
        change = optax.tree.sub(gradient, self.gradient)
        mean = optax.tree.add_scale(self.gradient, share, change)
        scatter = self.scatter + weight * optax.tree.vdot(change, optax.tree.sub(gradient, mean))
        counted = self.batches + (jnp.asarray(weight) > 0)
        return Moments(self.loss + share * (loss - self.loss), mean, scatter, total, counted)


def moments(loss: Loss, params: Any, batches: Any, weights: Float[ArrayLike, " n"] | None = None) -> Moments:
    """One pass over some batches, one gradient in memory at a time.

    >>> loss = lambda x, c: jnp.mean((x - c) ** 2) / 2  # its gradient is x - mean(c)
    >>> found = moments(loss, jnp.float32(0), jnp.array([[1.0, 3.0], [5.0, 7.0]]))
    >>> float(found.gradient), float(found.scatter)
    (-4.0, 8.0)

    Args:
        loss: of one batch.
        params: where.
        batches: (n, ...) each leaf.
        weights: of each batch, the examples that count in it over those of a whole one; each 1 by default. A batch of
            weight 0 is left out, the first one's must be above. ``loss`` is the mean over those that count.
    """
    weights = batch_weights(batches, weights)

    def add(so_far: Moments, batch: tuple[Any, Array]) -> tuple[Moments, None]:
        data, weight = batch
        return so_far.with_batch(*jax.value_and_grad(loss)(params, data), weight), None

    return lax.scan(add, Moments.none(params), (batches, weights))[0]


def noise(of: Moments, population: float | Array = math.inf) -> Float[Array, ""]:
    """Mean of ``|g_b - grad f|^2`` over batches of the size of a whole one, unbiased.

    Args:
        of: two batches or more.
        population: how many whole batches all examples would fill, where the batches have no example in common and
            those of training neither have one twice; infinite for examples drawn independently. If ``of`` is of all
            examples in batches of one size, the result is the plain mean over them.
    """
    return _variance(of) * (1 - 1 / jnp.asarray(population))


def squared_norm(of: Moments, population: float | Array = math.inf) -> Float[Array, ""]:
    """``|grad f|^2`` of all examples, unbiased: the mean gradient's, less what the noise adds to it in expectation.

    It may be negative where the gradient is far below the noise. Nothing is taken off where ``of`` is of all examples.

    Args:
        of: two batches or more.
        population: see ``noise``.
    """
    left_out = 1 - of.weight / jnp.asarray(population)
    return optax.tree.norm(of.gradient, squared=True) - _variance(of) / of.weight * left_out


def mean_square(of: Moments, population: float | Array = math.inf) -> Float[Array, ""]:
    """Mean of ``|g_b|^2`` over batches of the size of a whole one: ``|grad f|^2`` and the noise."""
    return squared_norm(of, population) + noise(of, population)


def mean_loss(loss: Loss, params: Any, batches: Any, weights: Float[ArrayLike, " n"] | None = None) -> Float[Array, ""]:
    """The mean over the examples of some batches; arguments as for ``moments``."""
    weights = batch_weights(batches, weights)
    values = lax.map(lambda batch: loss(params, batch), batches)
    return jnp.sum(weights * values) / jnp.sum(weights)


def _variance(of: Moments) -> Array:
    """Of the gradient of a whole batch of examples that are drawn independently."""
    return of.scatter / (of.batches - 1)


def batch_weights(batches: Any, weights: Float[ArrayLike, " n"] | None) -> Float[Array, " n"]:
    """The weights of some batches, each 1 where none are given."""
    count = jax.tree.leaves(batches)[0].shape[0]
    return jnp.ones(count) if weights is None else jnp.asarray(weights, jnp.float32)
