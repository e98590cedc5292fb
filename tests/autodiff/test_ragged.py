"""Ragged products: what a group counts is what the engines count on as many rows."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Counters, Emulation
from jaxgrad.array import emulation as core
from jaxgrad.autodiff.ragged import Ragged
from tests.layers import integers

ROWS, IN, OUT = 2, 3, 2
ARRAY = Accelerator(2, 2)
X, W, DY = (jnp.asarray(integers(seed, *shape)) for seed, shape in enumerate(((ROWS, IN), (1, IN, OUT), (ROWS, OUT))))


def plain(x: Array, w: Array) -> Array:
    return lax.ragged_dot(x, w, jnp.array([len(x)]))


@pytest.mark.parametrize("fidelity", ["tile", "register"])
def test_a_group_of_each_size_counts_what_the_engines_do(fidelity: str) -> None:
    on_array = Emulation(ARRAY, fidelity=fidelity, weight_update="separate")
    ragged = Ragged(ROWS, IN, OUT, 1, Emulation(ARRAY, weight_update="separate"))
    for size in range(1, ROWS + 1):
        x, w, dy = X[:size], W[0], DY[:size]
        _, forward = ragged.forward(X, W, jnp.array([size]), plain)
        _, _, backward = ragged.backward(X, W, DY, jnp.array([size]), plain_dx, plain_dw)
        assert forward.as_dict() == core.forward(x, w, on_array)[1].as_dict()
        assert backward.as_dict() == core.backward(x, w, dy, on_array)[2].as_dict()
    _, nothing = ragged.forward(X, W, jnp.array([0]), plain)
    assert nothing.as_dict() == Counters.zero().as_dict()


def plain_dx(dy: Array, w: Array) -> Array:
    return dy @ w[0].T


def plain_dw(x: Array, dy: Array) -> Array:
    return (x.T @ dy)[None]
