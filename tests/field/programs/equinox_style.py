"""Training steps as Equinox's documentation writes them: modules are pytrees, some of whose leaves are no arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import Array

from tests.field.program import Program, normal


class _Network(eqx.Module):
    layers: list[eqx.nn.Linear]
    dropout: eqx.nn.Dropout
    activation: Callable[[Array], Array]

    def __init__(self, key: Array) -> None:
        first, second = jax.random.split(key)
        self.layers = [eqx.nn.Linear(4, 6, key=first), eqx.nn.Linear(6, 3, key=second)]
        self.dropout = eqx.nn.Dropout(0.5)
        self.activation = jax.nn.gelu

    def __call__(self, x: Array, key: Array) -> Array:
        return self.layers[1](self.dropout(self.activation(self.layers[0](x)), key=key))


def network_with_dropout() -> Program:
    model = _Network(jax.random.key(0))
    optimizer = optax.adam(1e-2)

    def loss(model: _Network, x: Array, y: Array, key: Array) -> Array:
        return jnp.mean((jax.vmap(model)(x, jax.random.split(key, len(x))) - y) ** 2)

    def step(model: _Network, state: Any, x: Array, y: Array, key: Array) -> tuple[_Network, Any, Array]:
        value, grads = eqx.filter_value_and_grad(loss)(model, x, y, key)
        updates, state = optimizer.update(grads, state)
        return eqx.apply_updates(model, updates), state, value

    state = optimizer.init(eqx.filter(model, eqx.is_array))
    return Program(step, (model, state, normal(5, 4), normal(5, 3), jax.random.key(1)))


def convolutions() -> Program:
    first, second = jax.random.split(jax.random.key(0))
    model = eqx.nn.Sequential([
        eqx.nn.Conv2d(2, 3, 3, padding="SAME", key=first),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.Conv2d(3, 2, 3, padding="SAME", key=second),
    ])  # fmt: skip

    def loss(model: eqx.nn.Sequential, x: Array) -> Array:
        return jnp.mean(jax.vmap(model)(x) ** 2)

    return Program(eqx.filter_grad(loss), (model, normal(2, 2, 5, 5)))


def attention() -> Program:
    model = eqx.nn.MultiheadAttention(2, 6, key=jax.random.key(0))

    def loss(model: eqx.nn.MultiheadAttention, x: Array) -> Array:
        return jnp.mean(model(x, x, x) ** 2)

    return Program(eqx.filter_jit(eqx.filter_value_and_grad(loss)), (model, normal(5, 6)))


def recurrent_cell() -> Program:
    cell = eqx.nn.GRUCell(3, 4, key=jax.random.key(0))

    def loss(cell: eqx.nn.GRUCell, xs: Array) -> Array:
        return jnp.sum(jax.lax.scan(lambda h, x: (cell(x, h), None), jnp.zeros(4), xs)[0] ** 2)

    return Program(eqx.filter_grad(loss), (cell, normal(5, 3)))
