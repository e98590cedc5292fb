"""jaxgrad.array.passes.edges: operands enter and leave the array slanted."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.array.passes.edges import pad_to, skew, unskew

SHAPES = [(1, 1), (1, 4), (5, 1), (3, 2), (2, 5)]


def matrix(lanes: int, length: int) -> np.ndarray:
    return np.arange(1, lanes * length + 1, dtype=np.float32).reshape(lanes, length)


def test_skew_by_hand() -> None:
    """Lane 1 is a cycle late, lane 2 two; before and after, nothing enters."""
    entered = skew(jnp.array([[1, 2], [3, 4], [5, 6]]), 5)
    np.testing.assert_array_equal(entered, [[1, 2, 0, 0, 0], [0, 3, 4, 0, 0], [0, 0, 5, 6, 0]])


@pytest.mark.parametrize("idle", [0, 3])
@pytest.mark.parametrize(("lanes", "length"), SHAPES)
def test_each_lane_is_as_late_as_its_number(lanes: int, length: int, idle: int) -> None:
    values, cycles = matrix(lanes, length), length + lanes - 1 + idle
    expected = np.zeros((lanes, cycles))
    for lane in range(lanes):
        expected[lane, lane : lane + length] = values[lane]
    np.testing.assert_array_equal(skew(jnp.asarray(values), cycles), expected)


@pytest.mark.parametrize("delay", [0, 1, 4])
@pytest.mark.parametrize(("lanes", "length"), SHAPES)
def test_unskew_undoes_it_behind_any_delay(lanes: int, length: int, delay: int) -> None:
    """``delay`` cycles inside the array stand before lane 0's first value, and hold what must not come through."""
    values = matrix(lanes, length)
    late = np.full((lanes, delay), np.nan, np.float32)
    left = np.concatenate([late, np.asarray(skew(jnp.asarray(values), length + lanes - 1))], axis=1)
    np.testing.assert_array_equal(unskew(jnp.asarray(left), length, delay), values)


def test_padding_goes_at_the_end() -> None:
    np.testing.assert_array_equal(pad_to(jnp.array([[1, 2]]), 2, 3), [[1, 2, 0], [0, 0, 0]])
    np.testing.assert_array_equal(pad_to(jnp.array([[1, 2]]), 1, 2), [[1, 2]])
