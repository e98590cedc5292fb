"""Codes of activations, and the coarse derivatives that stand for theirs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.quantization import activation_codes, coarse, initial_resolution
from tests.refusals import Refusal, assert_refused

BITS, RESOLUTION = 2, 0.5
# Below the stairs, on each of the three levels and at their edges, and beyond them.
INPUTS = jnp.array([-2.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 1.75, 9.0])
MIDDLE = slice(2, 7)


def test_codes_are_those_of_the_stairs() -> None:
    codes, beyond = activation_codes(INPUTS, jnp.float32(RESOLUTION), BITS)
    assert codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert beyond.tolist() == [False] * 7 + [True] * 2


def test_what_is_infinite_or_no_number() -> None:
    codes, beyond = activation_codes(jnp.array([jnp.inf, -jnp.inf, jnp.nan]), jnp.float32(RESOLUTION), 8)
    assert codes.tolist() == [255, 0, 0]
    assert beyond.tolist() == [True, False, False]


def factors(record: coarse.Coarse) -> list[float]:
    codes, beyond = activation_codes(INPUTS, jnp.float32(RESOLUTION), BITS)
    return record.factor(codes, beyond if record.saturates else None, BITS).tolist()


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (coarse.CLIPPED_RELU, [0, 0, 1, 1, 1, 1, 1, 0, 0]),
        (coarse.RELU, [0, 0, 1, 1, 1, 1, 1, 1, 1]),
        (coarse.IDENTITY, [1] * 9),
        (coarse.THREE_VALUED, [0, 0, 2, 2, 2, 2, 2, 3, 3]),
        (coarse.PACT, [0, 0, 0, 0, 0, 0, 0, 3, 3]),
        (coarse.EXACT, [0, 0, 1, 1, 2, 2, 3, 3, 3]),
    ],
)
def test_coarse_derivatives(record: coarse.Coarse, expected: list[float]) -> None:
    assert factors(record) == expected


def test_the_exact_derivative_by_the_resolution_is_the_slope_where_there_is_one() -> None:
    inputs, step = np.array([-2.0, 0.3, 0.7, 1.2, 1.75, 9.0]), 1e-3

    def values(resolution: float) -> np.ndarray:
        codes, _ = activation_codes(jnp.asarray(inputs), jnp.float32(resolution), BITS)
        return resolution * np.asarray(codes, float)

    slope = (values(RESOLUTION + step) - values(RESOLUTION - step)) / (2 * step)
    codes, _ = activation_codes(jnp.asarray(inputs), jnp.float32(RESOLUTION), BITS)
    np.testing.assert_allclose(coarse.EXACT.factor(codes, None, BITS), slope, rtol=1e-6)


def test_found_by_name_and_open_to_others() -> None:
    assert list(coarse.BY_INPUT) == ["clipped_relu", "relu", "identity"]
    assert list(coarse.BY_RESOLUTION) == ["three_valued", "pact", "exact"]
    assert coarse.find_by_input("relu") is coarse.RELU
    assert_refused(Refusal(lambda: coarse.find_by_input("relu6"), "by_input", "'relu6'", "clipped_relu"))
    leaky = coarse.Coarse("leaky", lambda codes, beyond, bits: jnp.where(codes > 0, 1.0, 0.1))
    assert coarse.find_by_input(leaky) is leaky


def test_initial_resolutions_fall_with_bits() -> None:
    assert [initial_resolution(bits) for bits in (1, 2, 4)] == [1.2221, 0.6511, 0.1946]
    resolutions = [initial_resolution(bits) for bits in range(1, 9)]
    assert resolutions == sorted(resolutions, reverse=True)
    np.testing.assert_allclose(resolutions[7] * 255, resolutions[3] * 15)
    assert_refused(Refusal(lambda: initial_resolution(0), "bits", "0", "from 1 to 8"))
