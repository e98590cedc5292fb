"""jaxgrad.pipelines.two_weights: cotangents through other weights, in programs of every shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxgrad.pipelines.two_weights import gradients

WIDTH, DEPTH = 4, 3
RANDOM = np.random.default_rng(0)
THEN = jnp.asarray(RANDOM.normal(0, 0.5, (DEPTH, WIDTH, WIDTH)), jnp.float32)
NOW = jnp.asarray(RANDOM.normal(0, 0.5, (DEPTH, WIDTH, WIDTH)), jnp.float32)
X = jnp.asarray(RANDOM.normal(0, 1, (5, WIDTH)), jnp.float32)


def plain(w: jax.Array, x: jax.Array) -> jax.Array:
    for layer in range(DEPTH):
        x = jax.nn.relu(x @ w[layer])
    return jnp.sum(x**2)


def scanned(w: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.sum(lax.scan(lambda h, layer: (jax.nn.relu(h @ layer), None), x, w)[0] ** 2)


def jitted(w: jax.Array, x: jax.Array) -> jax.Array:
    layer = jax.jit(lambda h, w: jax.nn.relu(h @ w))
    for each in w:
        x = layer(x, each)
    return jnp.sum(x**2)


def rematerialised(w: jax.Array, x: jax.Array) -> jax.Array:
    for layer in range(DEPTH):
        x = jax.checkpoint(lambda h, w: jax.nn.relu(h @ w))(x, w[layer])
    return jnp.sum(x**2)


def transposed(w: jax.Array, x: jax.Array) -> jax.Array:
    """Weights are turned and scaled before they meet an activation."""
    halves = jnp.swapaxes(w, 1, 2) * 0.5
    for layer in range(DEPTH):
        x = jax.nn.relu(lax.dot_general(x, 2 * halves[layer], (((1,), (1,)), ((), ()))))
    return jnp.sum(x**2)


def by_hand() -> np.ndarray:
    """dW of three ReLU layers, cotangents through the weights of now."""
    then, now, h = np.asarray(THEN, np.float64), np.asarray(NOW, np.float64), np.asarray(X, np.float64)
    inputs, masks = [], []
    for layer in range(DEPTH):
        inputs.append(h)
        h = h @ then[layer]
        masks.append(h > 0)
        h = h * masks[-1]
    cotangent, found = 2 * h, []
    for layer in reversed(range(DEPTH)):
        before = cotangent * masks[layer]
        found.append(inputs[layer].T @ before)
        cotangent = before @ now[layer].T
    return np.stack(found[::-1])


@pytest.mark.parametrize("loss", [plain, scanned, jitted, rematerialised, transposed])
def test_cotangents_go_through_the_weights_of_now(loss: Callable[[Any, Any], jax.Array]) -> None:
    value, grads = jax.jit(lambda then, now, x: gradients(loss, then, now, x))(THEN, NOW, X)
    np.testing.assert_allclose(value, plain(THEN, X), rtol=1e-5)
    np.testing.assert_allclose(grads, by_hand(), rtol=2e-4, atol=1e-5)
    assert np.abs(grads - jax.grad(loss)(THEN, X)).max() > 0.01


@pytest.mark.parametrize("loss", [plain, scanned, jitted, rematerialised, transposed])
def test_with_the_same_weights_it_is_the_gradient(loss: Callable[[Any, Any], jax.Array]) -> None:
    _, grads = gradients(loss, THEN, THEN, X)
    np.testing.assert_allclose(grads, jax.grad(loss)(THEN, X), rtol=1e-5, atol=1e-6)


def test_a_convolution_with_a_norm_and_integers_beside() -> None:
    """Scales and biases are weights too: what multiplies an activation takes its cotangent back through that of now."""
    model = nnx.Sequential(
        nnx.Conv(1, 2, (3, 3), rngs=nnx.Rngs(0)),
        nnx.LayerNorm(2, rngs=nnx.Rngs(1)),
        nnx.Conv(2, 1, (1, 1), rngs=nnx.Rngs(2)),
    )
    graph, params = nnx.split(model)
    other = jax.tree.map(lambda leaf: leaf + 0.5, params)
    batch = (jnp.ones((2, 4, 4, 1)) * jnp.arange(4.0)[:, None], jnp.array([1, 0]))

    def loss(params: Any, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        images, labels = batch
        out = nnx.merge(graph, params)(images)[..., 0]
        return jnp.sum(out[jnp.arange(2), labels, labels] ** 2)

    both = jax.jit(lambda then, now, batch: gradients(loss, then, now, batch)[1])
    same, mixed = both(params, params, batch), both(params, other, batch)
    plainly = jax.jit(jax.grad(loss))(params, batch)
    for got, expected in zip(*map(jax.tree.leaves, (same, plainly)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    # The last layer's own gradient has no weights behind it; those before it have.
    pairs = list(zip(*map(jax.tree.leaves, (mixed, plainly)), strict=True))
    assert [bool(np.allclose(got, expected, rtol=1e-4)) for got, expected in pairs].count(True) == 2
