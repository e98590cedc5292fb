"""The versions of its weights that a pipeline has at once, and which of them a batch meets; see ``delayed``.

A ring a leaf: a stage that is D updates behind has D + 1 versions, the oldest of which gives way to the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import Float, UInt32

from jaxgrad.base.errors import InputError, whole_number

WEIGHTS: tuple[str, ...] = ("stash", "current", "ema", "vertical_sync")
STASHED: tuple[str, ...] = ("stash", "vertical_sync")
"""Those of ``WEIGHTS`` whose backward pass has the weights of the forward pass."""

BETAS: dict[str, Callable[[int], float]] = {
    "n/(n+1)": lambda delay: delay / (delay + 1),
    "(n-1)/(n+1)": lambda delay: max(0, delay - 1) / (delay + 1),
}
"""Decay of ``ema`` by delay. The paper's rule is not known to us."""


Versions = tuple[Array, ...]
"""Of each leaf of the parameters, in the order of ``jax.tree.leaves``, a ring of D + 1 versions along a first axis."""


def by_leaf(params: Any, delays: Any, weights: str) -> Any:
    """The delay of each leaf of the parameters, in their structure.

    Args:
        params: the parameters.
        delays: a pytree prefix of them with a whole number a stage.
        weights: one of ``WEIGHTS``.

    Raises:
        InputError: a delay is none, or they are no prefix of the parameters.
    """
    numbers = jax.tree.leaves(delays)
    if not numbers:
        raise InputError("delays", delays, "give a whole number for each stage")
    for delay in numbers:
        whole_number("delays", delay, least=0)
    try:
        late = jax.tree.map(lambda delay, part: jax.tree.map(lambda _: delay, part), delays, params)
    except ValueError:
        raise InputError("delays", delays, "give a pytree prefix of the parameters") from None
    return jax.tree.map(lambda _: max(numbers), params) if weights == "vertical_sync" else late


def first(params: Any, late: Any) -> Versions:
    """Before the first step: the first weights are met until there are others.

    Args:
        params: the first.
        late: the delay of each leaf.
    """
    pairs = zip(jax.tree.leaves(params), jax.tree.leaves(late), strict=True)
    return tuple(jnp.repeat(jnp.asarray(leaf)[None], delay + 1, 0) for leaf, delay in pairs)


def stashed(versions: Versions, step: UInt32[Array, ""]) -> list[Array]:
    """The leaves that a batch's forward pass meets after so many steps: those of D updates ago."""
    return [lax.dynamic_index_in_dim(ring, _oldest(ring, step), keepdims=False) for ring in versions]


def advanced(versions: Versions, params: Any, step: UInt32[Array, ""]) -> Versions:
    """The versions after an update.

    Args:
        versions: before it.
        params: that it made.
        step: updates before it.
    """
    pairs = zip(versions, jax.tree.leaves(params), strict=True)
    return tuple(lax.dynamic_update_index_in_dim(ring, leaf, _oldest(ring, step), 0) for ring, leaf in pairs)


def words(versions: Versions, weights: str) -> int:
    """Words of weights that the pipeline keeps.

    Those of all versions where it stashes them, of the newest and of the average update under ``ema``, of the newest
    alone under ``current``.
    """
    kept = {"current": 1, "ema": 2}
    return sum(ring.size // len(ring) * kept.get(weights, len(ring)) for ring in versions)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Average:
    """What ``ema`` rebuilds older weights from.

    Args:
        update: by leaf of the parameters the moving average of its updates.
        error: how far the rebuilt weights were off in the last step: their distance from the stashed ones over that of
            the newest.
    """

    update: Any
    error: Float[Array, ""]

    @classmethod
    def zero(cls, params: Any) -> Average:
        """Before the first update."""
        return cls(jax.tree.map(jnp.zeros_like, params), jnp.zeros(()))

    def rebuilt(self, params: Any, old: Any, late: Any, step: UInt32[Array, ""]) -> tuple[Any, Average]:
        """The weights of D updates ago as they are rebuilt, and the average with their error.

        Args:
            params: the newest.
            old: those that were.
            late: the delay of each leaf.
            step: updates so far.
        """

        def before(leaf: Array, update: Array, delay: int) -> Array:
            return leaf - jnp.minimum(step, delay).astype(leaf.dtype) * update  # the first steps have fewer updates

        back = jax.tree.map(before, params, self.update, late)
        distance = _distance(params, old)
        error = _distance(back, old) / jnp.maximum(distance, jnp.finfo(distance.dtype).tiny)  # none at first
        return back, replace(self, error=error)

    def updated(self, updates: Any, late: Any, beta: str) -> Average:
        """The average with one more update of each leaf.

        Args:
            updates: those.
            late: the delay of each leaf.
            beta: the decay, one of ``BETAS``.
        """

        def mixed(mean: Array, update: Array, delay: int) -> Array:
            decay = BETAS[beta](delay)
            return decay * mean + (1 - decay) * update

        return replace(self, update=jax.tree.map(mixed, self.update, updates, late))


def _oldest(ring: Array, step: UInt32[Array, ""]) -> Array:
    """Where the oldest of D + 1 versions is, in whose place the next one goes."""
    return (step + 1) % len(ring)


def _distance(one: Any, other: Any) -> Array:
    return optax.tree.norm(jax.tree.map(jnp.subtract, one, other))
