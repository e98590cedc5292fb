"""In what floats are multiplied: the array's own in float32, XLA's own as the program or the device has it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxgrad import Accelerator, Emulation, emulate_function
from tests.traces import precisions

HIGHEST = (jax.lax.Precision.HIGHEST,) * 2


def network(params: tuple[jax.Array, jax.Array], images: jax.Array) -> jax.Array:
    kernel, weights = params
    maps = jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jnp.sum(jnp.tanh(jax.nn.relu(maps).reshape(len(images), -1) @ weights))


def asked(fidelity: str) -> set[Any]:
    run = emulate_function(jax.grad(network), Emulation(Accelerator(4, 4), fidelity=fidelity))
    params = jnp.ones((2, 2, 1, 3)), jnp.ones((27, 2))
    return set(precisions(jax.make_jaxpr(lambda *args: run(*args)[0])(params, jnp.ones((2, 3, 3, 1))).jaxpr))


def test_gradients_by_tiles_are_float32() -> None:
    assert asked("tile") == {HIGHEST}


@pytest.mark.parametrize(("default", "precision"), [(None, None), ("highest", HIGHEST)])
def test_native_gradients_are_xlas_own(default: str | None, precision: Any) -> None:
    with jax.default_matmul_precision(default):
        assert asked("native") == {precision}
