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
from jax import Array
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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Kept:
    """What a delayed step keeps beside the newest parameters.

    Args:
        versions: by leaf of the parameters, a ring of D + 1 versions of it along a first axis.
        average: by leaf the moving average of its updates; None but for ``ema``.
        rebuilding_error: how far ``ema`` was off in the last step: the distance of the rebuilt weights from the stashed
            ones over that of the newest; 0 where nothing is rebuilt.
    """

    versions: Any
    average: Any
    rebuilding_error: Float[Array, ""]

    def words(self, weights: str) -> int:
        """Words of weights that the pipeline keeps: all versions where it stashes them, the newest and the average
        under ``ema``, the newest alone under ``current``."""
        rings = jax.tree.leaves(self.versions)
        if weights in STASHED:
            return sum(ring.size for ring in rings)
        return (1 if self.average is None else 2) * sum(ring[0].size for ring in rings)


def first(params: Any, delays: Any, weights: str) -> Kept:
    """Before the first step: the first weights are met until there are others.

    Args:
        params: the first.
        delays: a pytree prefix of them with a whole number a stage.
        weights: one of ``WEIGHTS``.

    Raises:
        InputError: a delay is none, or they are no prefix of the parameters.
    """
    delay = _by_leaf(params, delays, weights)
    return Kept(
        jax.tree.map(lambda leaf, behind: jnp.repeat(jnp.asarray(leaf)[None], behind + 1, 0), params, delay),
        jax.tree.map(jnp.zeros_like, params) if weights == "ema" else None,
        jnp.zeros(()),
    )


def stashed(kept: Kept, step: UInt32[Array, ""]) -> Any:
    """The weights that a batch's forward pass meets after so many steps: those of D updates ago."""
    return jax.tree.map(lambda ring: ring[_oldest(ring, step)], kept.versions)


def backward(kept: Kept, params: Any, step: UInt32[Array, ""]) -> tuple[Any, Kept]:
    """The weights through which cotangents go where none are stashed, and what is kept with the error of the rebuilt.

    Args:
        kept: as it is.
        params: the newest.
        step: updates so far.
    """
    if kept.average is None:
        return params, kept

    def rebuilt(leaf: Array, mean: Array, ring: Array) -> Array:
        return leaf - jnp.minimum(step, len(ring) - 1).astype(leaf.dtype) * mean  # the first steps have fewer updates

    back, old = jax.tree.map(rebuilt, params, kept.average, kept.versions), stashed(kept, step)
    error = _distance(back, old) / jnp.maximum(_distance(params, old), jnp.finfo(float).tiny)
    return back, replace(kept, rebuilding_error=error)


def advanced(kept: Kept, params: Any, updates: Any, step: UInt32[Array, ""], beta: str) -> Kept:
    """What is kept after an update.

    Args:
        kept: as it was.
        params: the new ones.
        updates: that made them.
        step: updates before this one.
        beta: of ``ema``, one of ``BETAS``.
    """

    def mixed(mean: Array, update: Array, ring: Array) -> Array:
        decay = BETAS[beta](len(ring) - 1)
        return decay * mean + (1 - decay) * update

    average = None if kept.average is None else jax.tree.map(mixed, kept.average, updates, kept.versions)
    versions = jax.tree.map(lambda ring, leaf: ring.at[_oldest(ring, step)].set(leaf), kept.versions, params)
    return replace(kept, versions=versions, average=average)


def _by_leaf(params: Any, delays: Any, weights: str) -> Any:
    """The delay of each leaf."""
    numbers = jax.tree.leaves(delays)
    if not numbers:
        raise InputError("delays", delays, "give a whole number for each stage")
    for delay in numbers:
        whole_number("delays", delay, least=0)
    try:
        by_leaf = jax.tree.map(lambda delay, part: jax.tree.map(lambda _: delay, part), delays, params)
    except ValueError:
        raise InputError("delays", delays, "give a pytree prefix of the parameters") from None
    return jax.tree.map(lambda _: max(numbers), params) if weights == "vertical_sync" else by_leaf


def _oldest(ring: Array, step: UInt32[Array, ""]) -> Array:
    """Where the oldest of D + 1 versions is, in whose place the next one goes."""
    return (step + 1) % len(ring)


def _distance(one: Any, other: Any) -> Array:
    return optax.tree.norm(jax.tree.map(jnp.subtract, one, other))
