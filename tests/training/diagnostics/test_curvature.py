"""Curvature against a Hessian that is there as a matrix."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxgrad.training.diagnostics import hessian_product, rayleigh_quotient, sharpness

KEYS = jax.random.split(jax.random.key(0), 4)
X, Y = jax.random.normal(KEYS[0], (3, 8, 5)), jax.random.normal(KEYS[1], (3, 8, 2))
PARAMS = {"in": jax.random.normal(KEYS[2], (5, 4)) / 2, "out": jax.random.normal(KEYS[3], (4, 2)) / 2}
WEIGHTS = jnp.array([1.0, 1.0, 0.5])


def loss(params: Any, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    x, y = batch
    return jnp.mean((jnp.tanh(x @ params["in"]) @ params["out"] - y) ** 2)


@pytest.fixture(scope="module")
def hessian() -> np.ndarray:
    """Of the weighted mean over the three batches."""
    flat, unravel = ravel_pytree(PARAMS)

    def mean(vector: jax.Array) -> jax.Array:
        values = jnp.stack([loss(unravel(vector), (X[part], Y[part])) for part in range(3)])
        return values @ WEIGHTS / WEIGHTS.sum()

    return np.asarray(jax.hessian(mean)(flat))


@jax.jit
def product(direction: Any) -> Any:
    return hessian_product(loss, PARAMS, (X, Y), direction, WEIGHTS)[1]


def test_products_and_curvature_of_a_network_are_those_of_its_dense_hessian(hessian: np.ndarray) -> None:
    flat, unravel = ravel_pytree(PARAMS)
    direction = np.random.default_rng(0).standard_normal(flat.size).astype(np.float32)
    result = product(unravel(jnp.asarray(direction)))
    np.testing.assert_allclose(ravel_pytree(result)[0], hessian @ direction, rtol=1e-4, atol=1e-5)
    quotient = direction @ hessian @ direction / (direction @ direction)
    assert float(rayleigh_quotient(unravel(jnp.asarray(direction)), result)) == pytest.approx(quotient, rel=1e-4)


def test_sharpness_of_a_network_is_the_top_eigenvalue_of_its_dense_hessian(hessian: np.ndarray) -> None:
    top = np.linalg.eigvalsh(hessian)[-1]
    assert sharpness(product, PARAMS, tolerance=1e-4) == pytest.approx(top, rel=1e-3)
    assert sharpness(product, PARAMS, tolerance=0.05, vectors=6) == pytest.approx(top, rel=0.05)


@pytest.mark.parametrize(("eigenvalues", "top"), [([-9.0, 1.0, 4.0, 2.0], 4.0), ([-3.0, -2.0, -1.0, -5.0], -1.0)])
def test_sharpness_of_a_quadratic_is_its_largest_eigenvalue_with_its_sign(eigenvalues: list[float], top: float) -> None:
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    matrix = jnp.asarray(basis @ np.diag(eigenvalues) @ basis.T, jnp.float32)
    assert sharpness(lambda u: matrix @ u, jnp.zeros(4)) == pytest.approx(top, rel=1e-3)
