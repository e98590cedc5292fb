"""Two layers on six rows, and the records that a profile has of them."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from jaxgrad.costs.profiling import Profile

X = jnp.ones((6, 8))
W = jnp.full((8, 8), 0.1)
WHOLE = (6, 8, 8)
TRAINED = [(WHOLE, 1, False, True, 0), (WHOLE, 1, True, True, 0)]


def two_layers(w: Array, x: Array) -> Array:
    return jnp.tanh(jnp.tanh(x @ w) @ w).sum()


def shapes(own: Profile) -> list[tuple[tuple[int, int, int], int, bool, bool, int]]:
    return [
        (
            (gemm.gemm.batch, gemm.gemm.in_features, gemm.gemm.out_features),
            gemm.times,
            gemm.needs_dx,
            gemm.needs_dw,
            gemm.recomputed,
        )
        for gemm in own.gemms
    ]
