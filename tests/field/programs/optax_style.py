"""Optimisers of Optax that call the loss themselves."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from tests.field.program import Program, normal

X, Y = normal(6, 4), normal(6)


def _loss(w: Array) -> Array:
    return jnp.mean((jnp.tanh(X @ w) - Y) ** 2)


def line_search() -> Program:
    optimizer = optax.lbfgs(memory_size=2)

    def step(w: Array, state: Any) -> tuple[Array, Any]:
        value, grad = optax.value_and_grad_from_state(_loss)(w, state=state)
        updates, state = optimizer.update(grad, state, w, value=value, grad=grad, value_fn=_loss)
        return optax.apply_updates(w, updates), state

    w = normal(4)
    return Program(step, (w, optimizer.init(w)))


def sharpness_aware() -> Program:
    def step(w: Array) -> Array:
        grad = jax.grad(_loss)(w)
        return w - 0.1 * jax.grad(_loss)(w + 0.05 * grad / optax.global_norm(grad))

    return Program(step, (normal(4),))


def muon() -> Program:
    optimizer = optax.contrib.muon(1e-2)

    def step(w: Array, state: Any) -> tuple[Array, Any]:
        grad = jax.grad(lambda w: jnp.mean((X @ w) ** 2))(w)
        updates, state = optimizer.update(grad, state, w)
        return optax.apply_updates(w, updates), state

    w = normal(4, 3)
    return Program(step, (w, optimizer.init(w)))
