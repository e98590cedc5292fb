"""jaxgrad.array.passes.base: what PEs have in common."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from jaxgrad.array.passes.base import product


@pytest.mark.parametrize("sizes", [(2, 2), (14, 9), (64, 64)], ids=str)
def test_a_product_is_rounded_before_it_is_added(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(sizes).astype(np.float32) for _ in range(3))
    np.testing.assert_array_equal(jax.jit(lambda a, b, c: c + product(a, b))(a, b, c), c + a * b)


def test_a_product_of_integers_wraps_and_nan_is_nan() -> None:
    big = np.full((1, 1), 1 << 30, np.int32)
    assert int(product(big, np.full((1, 1), 6, np.int32))[0, 0]) == -(1 << 31)
    infinite, zero = np.full((1, 1), np.inf, np.float32), np.zeros((1, 1), np.float32)
    assert np.isnan(product(infinite, zero)).all()
