"""Descent on a design's sizes from many starts at once: gradients of a relaxed cost, optax, projection on a box."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float

_RATE = 0.3  # of the first steps, in powers of two
_STEEPEST = 1.0  # slopes are clipped: right after a whole number of tiles they are steep
_CHOOSE_EVERY = 5  # steps with the same plans


class Loss(Protocol):
    """A loss of logarithms of sizes, to base 2, some of which is chosen anew only now and then."""

    def choose(self, logs: Float[Array, " sizes"]) -> Any:
        """What is held fixed for some steps: plans."""
        ...

    def loss(self, logs: Float[Array, " sizes"], chosen: Any) -> Float[Array, ""]: ...


class Descent(NamedTuple):
    """What descents from all starts went through.

    Args:
        logs: where they ended: logarithms of the sizes, to base 2.
        losses: the loss before each step.
    """

    logs: Float[np.ndarray, "starts sizes"]
    losses: Float[np.ndarray, "starts steps"]


class Slopes:
    """A loss and its gradient at as many points as there are starts, compiled once."""

    def __init__(self, goal: Loss) -> None:
        self._choose = jax.jit(jax.vmap(goal.choose))
        self._slope = jax.jit(jax.vmap(jax.value_and_grad(goal.loss)))

    def descend(
        self,
        starts: Float[np.ndarray, "starts sizes"],
        lower: Float[np.ndarray, " sizes"],
        upper: Float[np.ndarray, " sizes"],
        steps: int,
    ) -> Descent:
        """Adam within a box, from all starts.

        Args:
            starts: logarithms of sizes, to base 2.
            lower, upper: of the box.
            steps: of each descent.
        """
        schedule = optax.cosine_decay_schedule(_RATE, steps)
        optimizer = optax.chain(optax.clip(_STEEPEST), optax.adam(schedule, b1=0.8, b2=0.9))

        @jax.jit
        def step(logs: Array, slope: Array, state: Any) -> tuple[Any, Any]:
            updates, state = optimizer.update(slope, state, logs)
            return optax.projections.projection_box(optax.apply_updates(logs, updates), lower, upper), state

        logs: Any = jnp.asarray(starts)
        state, losses, chosen = optimizer.init(logs), [], None
        for number in range(steps):
            if number % _CHOOSE_EVERY == 0:
                chosen = self._choose(logs)
            value, slope = self._slope(logs, chosen)
            losses.append(value)
            logs, state = step(logs, slope, state)
        return Descent(np.asarray(logs), np.stack(losses, axis=1))

    def losses(self, points: Float[np.ndarray, "points sizes"], together: int) -> Float[np.ndarray, " points"]:
        """The loss at some points, so many at a time as there are starts."""
        losses = []
        for start in range(0, len(points), together):
            some = points[start : start + together]
            logs = jnp.asarray(np.resize(some, (together, points.shape[1])))
            value, _ = self._slope(logs, self._choose(logs))
            losses.append(np.asarray(value)[: len(some)])
        return np.concatenate(losses) if losses else np.zeros(0)
