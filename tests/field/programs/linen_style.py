"""Training steps as Flax Linen's documentation writes them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.training.train_state import TrainState
from jax import Array

from tests.field.program import Program, normal


class _Network(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu(nn.Conv(3, (3, 3))(x))
        x = nn.GroupNorm(num_groups=1)(x)
        return nn.Dense(4)(x.reshape(len(x), -1))


class _Block(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x + nn.MultiHeadDotProductAttention(num_heads=2, qkv_features=4)(nn.LayerNorm()(x))
        return x + nn.Dense(x.shape[-1])(nn.gelu(nn.Dense(5)(nn.LayerNorm()(x))))


def train_state() -> Program:
    x, labels = normal(2, 5, 5, 2), jnp.array([1, 3])
    model = _Network()
    params = model.init(jax.random.key(0), x)["params"]
    state = TrainState.create(apply_fn=model.apply, params=params, tx=optax.sgd(0.1, 0.9))

    @jax.jit
    def step(state: TrainState, x: Array, labels: Array) -> tuple[TrainState, Array]:
        def loss(params: Any) -> Array:
            logits = state.apply_fn({"params": params}, x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        value, grads = jax.value_and_grad(loss)(state.params)
        return state.apply_gradients(grads=grads), value

    return Program(step, (state, x, labels))


def transformer_block() -> Program:
    x = normal(2, 5, 6)
    params = _Block().init(jax.random.key(0), x)
    return Program(jax.value_and_grad(lambda params, x: jnp.mean(_Block().apply(params, x) ** 2)), (params, x))  # pyright: ignore[reportOperatorIssue]  # an array


def scanned_blocks() -> Program:
    blocks = nn.scan(nn.remat(_Body), variable_axes={"params": 0}, split_rngs={"params": True}, length=3)(5)
    x = normal(2, 5)
    params = blocks.init(jax.random.key(0), x, None)
    return Program(jax.grad(lambda params, x: jnp.mean(blocks.apply(params, x, None)[0] ** 2)), (params, x))


class _Body(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x: Array, _: None) -> tuple[Array, None]:
        return jnp.tanh(nn.Dense(self.features)(x)), None
