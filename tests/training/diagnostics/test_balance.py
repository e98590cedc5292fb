"""The change that a step makes, and its balance, on quadratics, where all of it is known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.training.diagnostics import Change, balance, expected_change, measured_change, sgd_balance

CURVATURE = jnp.array([0.5, 2.0, 3.0])
CENTRES = np.random.default_rng(0).standard_normal((16, 3)).astype(np.float32)
CENTRES -= CENTRES.mean(axis=0)
BATCHES = jnp.asarray(CENTRES.reshape(8, 2, 3))


def loss(point: jax.Array, centres: jax.Array) -> jax.Array:
    return jnp.mean(jnp.sum(CURVATURE * (point - centres) ** 2, axis=-1)) / 2


def test_the_change_of_a_quadratic_is_all_of_second_order() -> None:
    point, update = jnp.array([1.0, -2.0, 0.5]), jnp.array([0.3, 0.1, -0.2])
    change = expected_change(loss, point, BATCHES, update)
    assert float(change.first) == pytest.approx(float(CURVATURE * point @ update), rel=1e-5)
    assert float(change.second) == pytest.approx(float(CURVATURE * update @ update) / 2, rel=1e-5)
    assert float(measured_change(loss, point, BATCHES, update)) == pytest.approx(float(change.expected), rel=1e-4)


def test_sgd_on_a_quadratic_is_in_balance_where_its_law_is_stationary() -> None:
    """In one dimension: the stationary variance v solves v = (1 - rate a)^2 v + rate^2 s^2, exactly."""
    curvature, rate = 2.0, 0.3
    centres = BATCHES[:, :, 0]
    noise = curvature**2 * float(jnp.mean(centres.mean(axis=1) ** 2))
    variance = rate**2 * noise / (1 - (1 - rate * curvature) ** 2)

    def of_one(point: jax.Array, centres: jax.Array) -> jax.Array:
        return curvature * jnp.mean((point - centres) ** 2) / 2

    assert float(sgd_balance(of_one, jnp.sqrt(variance), centres, rate)) == pytest.approx(1, rel=1e-4)
    assert float(sgd_balance(of_one, 2 * jnp.sqrt(variance), centres, rate)) < 0.8  # still falling
    assert float(sgd_balance(of_one, jnp.sqrt(variance) / 2, centres, rate)) > 1.5  # still rising


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_really_taken_are_in_balance_in_the_mean(momentum: float) -> None:
    rate = 0.1

    def step(state: tuple[jax.Array, jax.Array], key: jax.Array) -> tuple[tuple[jax.Array, jax.Array], Change]:
        point, velocity = state
        gradient = jax.grad(loss)(point, BATCHES[jax.random.randint(key, (), 0, len(BATCHES))])
        velocity = momentum * velocity + gradient
        update = -rate * velocity
        return (point + update, velocity), expected_change(loss, point, BATCHES, update)

    start = (jnp.full(3, 5.0), jnp.zeros(3))
    state, transient = jax.lax.scan(step, start, jax.random.split(jax.random.key(1), 300))
    _, stationary = jax.lax.scan(step, state, jax.random.split(jax.random.key(2), 4000))
    assert float(balance(stationary)) == pytest.approx(1, abs=0.05)
    assert float(balance(transient)) < 0.9


def test_the_exact_balance_of_sgd_is_that_of_all_its_updates() -> None:
    point, rate = jnp.array([1.0, -2.0, 0.5]), 0.1
    gradients = [np.asarray(jax.grad(loss)(point, batch)) for batch in BATCHES]
    full = np.mean(gradients, axis=0)
    expected = rate / 2 * np.mean([g @ (CURVATURE * g) for g in gradients]) / (full @ full)
    assert float(sgd_balance(loss, point, BATCHES, rate)) == pytest.approx(expected, rel=1e-4)
    both = jax.vmap(lambda point: sgd_balance(loss, point, BATCHES, rate))(jnp.stack([point, point / 2]))
    assert float(both[0]) == pytest.approx(expected, rel=1e-4)
