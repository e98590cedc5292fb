"""Blended coarse gradient descent, as optax has it: gradient transformations to chain with any optimizer.

With ``w = Q(w_f)`` the quantised weights and g the gradient at w, a step is

    w_f  <-  (1 - rho) w_f + rho w  -  lr * direction(g + decay ((1 - rho) w_f + rho w))

``optax.chain(blended_decay(decay, rho, bits), optax.sgd(lr, momentum), blended(rho, bits))`` is that. rho = 0 is
BinaryConnect, rho = 1 projected gradient descent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax import Array

from jaxgrad.base.errors import InputError, blend, few_bits
from jaxgrad.quantization.activations import RANGE
from jaxgrad.quantization.weights import project

Mask = Any | Callable[[optax.Params], Any] | None
"""As of ``optax.masked``: a tree of truth values, or what makes one of the parameters; None for all of them."""

GRADIENT_SCALE = 0.01
"""Of a resolution's gradient."""

GRADIENT_BOUND = 1.0
"""Of a resolution's gradient, scaled."""


def blended(rho: float, bits: int, mask: Mask = None) -> optax.GradientTransformation:
    """Draws weights to their quantised values: adds ``rho (Q(w_f) - w_f)`` to their updates. Last in ``optax.chain``.

    Args:
        rho: from 0 to 1; ``1 / rho`` is its time constant in steps.
        bits: of weights, see ``project``.
        mask: which parameters are quantised.

    Raises:
        InputError: ``rho`` or ``bits`` is out of range.

    >>> import jax.numpy as jnp
    >>> weights = jnp.array([0.5, -1.5])
    >>> towards = blended(0.5, bits=1)
    >>> updates, _ = towards.update(jnp.zeros(2), towards.init(weights), weights)
    >>> (weights + updates).tolist()
    [0.75, -1.25]
    """
    _check(rho, bits)

    def update(updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None) -> Any:
        return jax.tree.map(lambda step, old: step + rho * _pull(old, bits), updates, _there(params)), state

    return _masked(optax.GradientTransformation(lambda params: optax.EmptyState(), update), mask)


def blended_decay(decay: float, rho: float, bits: int, mask: Mask = None) -> optax.GradientTransformation:
    """Adds ``decay ((1 - rho) w_f + rho Q(w_f))`` to the gradients: weight decay where ``blended`` is last.

    First in ``optax.chain``, as ``optax.add_decayed_weights``.

    Args:
        decay: its strength.
        rho, bits, mask: see ``blended``.

    Raises:
        InputError: ``rho`` or ``bits`` is out of range.
    """
    _check(rho, bits)

    def update(updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None) -> Any:
        return jax.tree.map(
            lambda step, old: step + decay * (old + rho * _pull(old, bits)), updates, _there(params)
        ), state

    return _masked(optax.GradientTransformation(lambda params: optax.EmptyState(), update), mask)


def resolution_gradients(mask: Mask = None) -> optax.GradientTransformation:
    """Scales the gradients of resolutions by 0.01 and clips them to +-1. First in ``optax.chain``."""
    return _masked(optax.chain(optax.scale(GRADIENT_SCALE), optax.clip(GRADIENT_BOUND)), mask)


def resolutions_in_range(mask: Mask = None) -> optax.GradientTransformation:
    """Keeps resolutions in ``activations.RANGE``, to the rounding of an update. Last in ``optax.chain``.

    >>> import jax.numpy as jnp
    >>> keeps = resolutions_in_range()
    >>> updates, _ = keeps.update(jnp.float32(-1.0), keeps.init(jnp.float32(0.5)), jnp.float32(0.5))
    >>> round(float(0.5 + updates), 6)
    0.001
    """

    def update(updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None) -> Any:
        return jax.tree.map(lambda step, old: (old + step).clip(*RANGE) - old, updates, _there(params)), state

    return _masked(optax.GradientTransformation(lambda params: optax.EmptyState(), update), mask)


def _pull(weights: Array, bits: int) -> Array:
    return project(weights, bits).values.astype(weights.dtype) - weights


def _masked(transformation: optax.GradientTransformation, mask: Mask) -> optax.GradientTransformation:
    return transformation if mask is None else optax.masked(transformation, mask)


def _there(params: optax.Params | None) -> optax.Params:
    if params is None:
        raise InputError("params", None, "give optimizer.update the parameters: update(gradients, state, params)")
    return params


def _check(rho: Any, bits: Any) -> None:
    blend("rho", rho)
    few_bits("bits", bits)
