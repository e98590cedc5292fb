"""Training steps as Flax NNX's documentation writes them, on a split model."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from tests.field.program import Program, normal


class _Tied(nnx.Module):
    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.embedding = nnx.Embed(7, 4, rngs=rngs)
        self.linear = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, ids: Array) -> Array:
        return self.embedding.attend(nnx.relu(self.linear(self.embedding(ids))))


class _Attention(nnx.Module):
    def __init__(self) -> None:
        self.attention = nnx.MultiHeadAttention(2, 4, decode=False, rngs=nnx.Rngs(0))

    def __call__(self, x: Array) -> Array:
        return self.attention(x)


def _step(model: nnx.Module, x: Array) -> Program:
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def step(params: Any, rest: Any, x: Array) -> Any:
        def loss(params: Any) -> Array:
            return jnp.mean(nnx.merge(graph, params, rest)(x) ** 2)

        grads = jax.grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)

    return Program(step, (params, rest, x))


def tied_head() -> Program:
    return _step(_Tied(), jnp.array([1, 4, 4, 0, 6]))


def attention() -> Program:
    return _step(_Attention(), normal(2, 5, 4))
