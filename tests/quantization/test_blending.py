"""Blended updates against their formula, step by step, and the descent that they promise."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad.quantization import blended, blended_decay, project, resolution_gradients, resolutions_in_range
from tests.refusals import Refusal, assert_refused

RATE, MOMENTUM, DECAY = 0.1, 0.95, 0.02
START = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), jnp.float32)


def gradient(weights: Any) -> Any:
    """Of a loss whose gradient differs from step to step."""
    return jnp.sin(3 * weights) + weights


@pytest.mark.parametrize("rho", [0.0, 1e-2, 1.0])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_steps_are_those_of_the_formula(rho: float, bits: int) -> None:
    chain = optax.chain(blended_decay(DECAY, rho, bits), optax.sgd(RATE, momentum=MOMENTUM), blended(rho, bits))

    @jax.jit
    def step(weights: Any, state: Any) -> Any:
        updates, state = chain.update(gradient(project(weights, bits).values), state, weights)
        return optax.apply_updates(weights, updates), state

    weights, state = START, chain.init(START)
    expected, velocity = np.asarray(START, np.float64), np.zeros(START.shape)
    for _ in range(4):
        weights, state = step(weights, state)
        quantised = np.asarray(project(jnp.asarray(expected, jnp.float32), bits).values, np.float64)
        between = (1 - rho) * expected + rho * quantised
        velocity = MOMENTUM * velocity + np.asarray(gradient(quantised)) + DECAY * between
        expected = between - RATE * velocity
        np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-6)


def test_a_mask_leaves_other_parameters_alone() -> None:
    params = {"dense": {"kernel": START, "bias": START[0]}}
    mask = {"dense": {"kernel": True, "bias": False}}
    for transformation in (blended(0.5, 1, mask), blended_decay(0.5, 0.5, 1, lambda params: mask)):
        zeros = jax.tree.map(jnp.zeros_like, params)
        updates: Any
        updates, _ = transformation.update(zeros, transformation.init(params), params)
        np.testing.assert_array_equal(updates["dense"]["bias"], 0)
        assert np.abs(updates["dense"]["kernel"]).min() > 0


def test_projected_steps_descend_as_promised() -> None:
    """f(w') - f(w) <= -1/2 (rho / lr - Lip) ||w' - w||^2 for the quantised weights, where the projection is exact."""
    rng = np.random.default_rng(2)
    factors = rng.normal(size=(6, 6))
    hessian, target = factors @ factors.T / 6, rng.normal(size=6)
    lipschitz = np.linalg.eigvalsh(hessian).max()

    def loss(weights: np.ndarray) -> float:
        return float(0.5 * (weights - target) @ hessian @ (weights - target))

    moved = 0
    for rho, rate in ((1e-2, 0.05), (0.3, 0.2), (1.0, 0.3)):
        chain: Any = optax.chain(optax.sgd(rate), blended(rho, 1))
        weights = jnp.asarray(rng.normal(size=6), jnp.float32)
        state = chain.init(weights)
        before = np.asarray(project(weights, 1).values, np.float64)
        for _ in range(60):
            updates, state = chain.update(jnp.asarray(hessian @ (before - target), jnp.float32), state, weights)
            weights = weights + updates
            after = np.asarray(project(weights, 1).values, np.float64)
            step = (after - before) @ (after - before)
            assert loss(after) - loss(before) <= -0.5 * (rho / rate - lipschitz) * step + 1e-5
            moved += step > 1e-6
            before = after
    assert moved > 20


def test_resolutions_are_kept_in_range_and_their_gradients_scaled_and_clipped() -> None:
    chain: Any = optax.chain(resolution_gradients(), optax.sgd(1.0), resolutions_in_range())
    resolutions = jnp.array([0.5, 0.5, 0.5, 4.9])
    updates, _ = chain.update(jnp.array([10.0, 300.0, -300.0, -300.0]), chain.init(resolutions), resolutions)
    np.testing.assert_allclose(resolutions + updates, [0.4, 1e-3, 1.5, 5.0], rtol=1e-4)


def test_refuses_what_is_no_rho_and_no_bits() -> None:
    wrong: list[Any] = [-0.1, 1.5, "all", True, float("nan")]
    for rho in wrong:
        assert_refused(Refusal(lambda rho=rho: blended(rho, 1), "rho", str(rho), "from 0 to 1"))
        assert_refused(Refusal(lambda rho=rho: blended_decay(0.1, rho, 1), "rho", str(rho), "from 0 to 1"))
    assert_refused(Refusal(lambda: blended(0.5, 9), "bits", "9", "from 1 to 8"))
    assert_refused(
        Refusal(lambda: blended(0.5, 1).update(START, optax.EmptyState()), "params", "None", "optimizer.update")
    )
