"""Training steps as Haiku's documentation writes them."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
from jax import Array

from tests.field.program import Program, normal


def perceptron() -> Program:
    network = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([5, 3])(x)))
    x, y = normal(6, 4), normal(6, 3)

    def step(params: Any, x: Array, y: Array) -> Any:
        grads = jax.grad(lambda params: jnp.mean((network.apply(params, x) - y) ** 2))(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)

    return Program(jax.jit(step), (network.init(jax.random.key(0), x), x, y))


def batch_norm() -> Program:
    def forward(x: Array) -> Array:
        x = hk.Conv2D(3, 3)(x)
        x = jax.nn.relu(hk.BatchNorm(True, True, 0.9)(x, is_training=True))
        return hk.Linear(2)(x.mean((1, 2)))

    network = hk.transform_with_state(forward)
    x = normal(2, 5, 5, 2)
    params, state = network.init(jax.random.key(0), x)

    def loss(params: Any, state: Any, x: Array) -> tuple[Array, Any]:
        out, state = network.apply(params, state, None, x)
        return jnp.sum(out**2), state

    return Program(jax.grad(loss, has_aux=True), (params, state, x))


def long_short_term_memory() -> Program:
    def forward(xs: Array) -> Array:
        core = hk.LSTM(4)
        return hk.dynamic_unroll(core, xs, core.initial_state(xs.shape[1]))[0]

    network = hk.without_apply_rng(hk.transform(forward))
    xs = normal(4, 2, 3)
    params = network.init(jax.random.key(0), xs)
    return Program(jax.grad(lambda params, xs: jnp.sum(network.apply(params, xs) ** 2)), (params, xs))
