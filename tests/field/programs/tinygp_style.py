"""Gaussian processes as tinygp's documentation writes them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import tinygp
from jax import Array

from tests.field.program import Program, normal


def marginal_likelihood() -> Program:
    def loss(params: dict[str, Array], x: Array, y: Array) -> Array:
        kernel = jnp.exp(params["amplitude"]) * tinygp.kernels.ExpSquared(jnp.exp(params["scale"]))
        return -tinygp.GaussianProcess(kernel, x, diag=0.1).log_probability(y)

    params = {"amplitude": jnp.float32(0.1), "scale": jnp.float32(0.2)}
    return Program(jax.value_and_grad(loss), (params, normal(6), normal(6)), lapack=("cholesky", "triangular_solve"))
