"""Quantised products in plain JAX: values and coarse derivatives from their definitions, gradients by stop-gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

BY_INPUT: dict[str, Callable[[Array, Array, int], Array]] = {
    "clipped_relu": lambda x, a, last: (x > 0) & (x <= last * a),
    "relu": lambda x, a, last: x > 0,
    "identity": lambda x, a, last: jnp.ones_like(x),
}
BY_RESOLUTION: dict[str, Callable[[Array, int], Array]] = {
    "three_valued": lambda steps, last: jnp.full_like(steps, (last + 1) // 2),
    "pact": lambda steps, last: jnp.zeros_like(steps),
    "exact": lambda steps, last: steps,
}


def activations(x: Array, a: Array, bits: int, by_input: str = "clipped_relu", by_a: str = "three_valued") -> Array:
    """``a clip(ceil(x / a), 0, L)``."""
    last = 2**bits - 1
    steps = jnp.ceil(x / a)
    slope = jnp.where(x <= 0, 0, jnp.where(x > last * a, last, BY_RESOLUTION[by_a](steps, last)))
    linear = x * lax.stop_gradient(BY_INPUT[by_input](x, a, last).astype(x.dtype)) + a * lax.stop_gradient(slope)
    return linear + lax.stop_gradient(a * jnp.clip(steps, 0, last) - linear)


def weights(w: Array, bits: int) -> Array:
    """Straight through."""
    size = jnp.abs(w)
    if bits == 1:
        value = jnp.where(w >= 0, 1, -1) * size.mean()
    else:
        if bits == 2:
            codes = (size >= 0.7 * size.mean()).astype(w.dtype)
        else:
            codes = jnp.clip(jnp.ceil(size * (2**bits - 1) / (2 * size.max()) - 0.5), 0, 2 ** (bits - 1) - 1)
        value = jnp.sign(w) * codes * (size * codes).sum() / (codes**2).sum()
    return w + lax.stop_gradient(value - w)


def operands(x: Array, w: Array, a: Array, estimator: Any) -> tuple[Array, Array]:
    """What a layer multiplies."""
    if estimator.activations is not None:
        names = estimator.by_input.name, estimator.by_resolution.name
        x = activations(x, a, estimator.activations, *names)
    return x, w if estimator.weights is None else weights(w, estimator.weights)


def assert_close(got: Any, expected: Any) -> None:
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4), got, expected)
