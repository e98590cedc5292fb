"""What emulated functions of small integers must give: their own values, exactly, and the closed form's counts."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jaxgrad import Accelerator, Counters, Emulation, Gemm, count, count_forward
from jaxgrad.array.execute import FIDELITIES
from tests.layers import integers, sparse_integers

ARRAY = Accelerator(3, 4)
EMULATION = Emulation(ARRAY, fidelity="tile")
at_each_fidelity = pytest.mark.parametrize("fidelity", FIDELITIES)
Counts = dict[str, int]


def shape_counts(counters: Counters) -> Counts:
    """All that shapes decide."""
    return {name: number for name, number in counters.as_dict().items() if name != "effectual_macs"}


def closed_form(*parts: Counters) -> Counts:
    return shape_counts(sum(parts, start=Counters.zero()))


def forwards(*gemms: Gemm) -> Counts:
    return closed_form(*(count_forward(gemm, ARRAY) for gemm in gemms))


def backwards(*gemms: Gemm, schedule: str = "interleaved") -> Counts:
    return closed_form(*(count(gemm, ARRAY, schedule) for gemm in gemms))


def assert_equal(got: Any, expected: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, got, expected)


def weights(*shape: int, seed: int = 1) -> Array:
    return jnp.asarray(integers(seed, *shape))


def dense(w: Array, x: Array) -> Array:
    return jax.nn.relu(x @ w).sum()


X, W, V = jnp.asarray(sparse_integers(0, 5, 6)), weights(6, 7), weights(7, 3, seed=2)
XW, XWV = Gemm(5, 6, 7), Gemm(5, 7, 3)


def two(ws: tuple[Array, Array], x: Array) -> Array:
    return (jax.nn.relu(x @ ws[0]) @ ws[1]).sum()


BOTH = (jax.grad(two, (0, 1)), ((W, V), X))
