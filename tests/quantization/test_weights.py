"""Projections of weights, against exhaustive search and their definitions."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.quantization import project
from tests.refusals import Refusal, assert_refused

WEIGHTS = np.random.default_rng(0).normal(size=(3, 2, 3)).astype(np.float32)


def distance(weights: np.ndarray, codes: np.ndarray) -> float:
    """The least squared distance of weights to any multiple of codes."""
    return float(((weights - weights @ codes / max(codes @ codes, 1) * codes) ** 2).sum())


@pytest.mark.parametrize("weights", WEIGHTS.reshape(3, 6))
def test_one_bit_is_the_nearest_of_all_signs_and_scales(weights: np.ndarray) -> None:
    projected = project(jnp.asarray(weights), 1)
    nearest = min(distance(weights, np.array(codes)) for codes in itertools.product((-1.0, 1.0), repeat=6))
    assert set(np.unique(projected.codes)) <= {-1, 1}
    np.testing.assert_allclose(((weights - projected.values) ** 2).sum(), nearest, rtol=1e-5)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("weights", WEIGHTS.reshape(3, 6))
def test_scale_is_that_of_the_least_squared_distance_for_the_codes(weights: np.ndarray, bits: int) -> None:
    codes, scale = project(jnp.asarray(weights), bits)
    scales = np.linspace(0.5, 1.5, 1001) * float(scale)
    distances = ((weights[:, None] - np.asarray(codes, np.float64)[:, None] * scales) ** 2).sum(0)
    assert distances.argmin() == 500
    np.testing.assert_allclose(distances[500], distance(weights.astype(float), np.asarray(codes, float)), rtol=1e-5)


def test_ternary_codes_are_those_of_the_threshold() -> None:
    codes, scale = project(jnp.asarray(WEIGHTS), 2)
    for weight, code in zip(WEIGHTS.flat, np.asarray(codes).flat, strict=True):
        kept = abs(weight) >= 0.7 * np.abs(WEIGHTS).mean()
        assert code == (0 if not kept else -1 if weight < 0 else 1)
    np.testing.assert_allclose(scale, np.abs(WEIGHTS)[np.asarray(codes) != 0].mean(), rtol=1e-6)
    assert 0 < (np.asarray(codes) == 0).sum() < WEIGHTS.size


@pytest.mark.parametrize("bits", [3, 4, 5, 8])
def test_codes_of_more_bits_are_those_of_the_grid(bits: int) -> None:
    codes = np.asarray(project(jnp.asarray(WEIGHTS), bits).codes)
    step = 2 * np.abs(WEIGHTS).max() / (2**bits - 1)
    for weight, code in zip(WEIGHTS.flat, codes.flat, strict=True):
        steps = min(range(2 ** (bits - 1)), key=lambda steps: abs(abs(weight) - steps * step))
        assert code == np.sign(weight) * steps
    assert np.abs(codes).max() == 2 ** (bits - 1) - 1


def test_a_half_step_rounds_down() -> None:
    assert project(jnp.array([3.5, 0.5, -1.5, 1.75]), 3).codes.tolist() == [3, 0, -1, 2]


def test_zeros_have_scale_zero_and_the_sign_of_zero_is_plus() -> None:
    for bits in (1, 2, 3):
        projected = project(jnp.zeros(4), bits)
        np.testing.assert_array_equal(projected.values, np.zeros(4))
    assert project(jnp.array([0.0, -0.0, -1.0]), 1).codes.tolist() == [1, 1, -1]


def test_runs_under_jit_and_vmap_with_a_scale_a_tensor() -> None:
    stacked = jax.jit(jax.vmap(lambda weights: project(weights, 4)))(WEIGHTS)
    assert stacked.scale.shape == (3,)
    for index, weights in enumerate(WEIGHTS):
        np.testing.assert_array_equal(stacked.codes[index], project(jnp.asarray(weights), 4).codes)


@pytest.mark.parametrize("bits", [0, 9, 1.5, True, None])
def test_refuses_other_bits(bits: object) -> None:
    assert_refused(Refusal(lambda: project(WEIGHTS, bits), "bits", repr(bits), "from 1 to 8"))  # pyright: ignore[reportArgumentType]
