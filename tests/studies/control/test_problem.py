"""jaxgrad.studies.control.problem: against the same equation written out, and its sampled gradient."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jaxgrad.studies.control.problem import Problem

SMALL = Problem(points=5, steps_per_unit=32, horizon=0.25, diffusion=0.25, harmonics=3, first=4.7)
THETA = jnp.asarray([4.5, 0.3, -0.2, 0.5, 0.1, -0.4, 0.2])
KEY = jax.random.key(5)


def plain(theta: Array) -> Array:
    """The loss by matrices: of the inner points' Laplacian, and of the source on a diagonal."""
    n, dt = SMALL.points, 1 / SMALL.steps_per_unit
    inner = np.arange(1, n - 1) / (n - 1)
    second = (np.eye(n - 2, k=1) - 2 * np.eye(n - 2) + np.eye(n - 2, k=-1)) * (n - 1) ** 2
    laplacian = np.kron(second, np.eye(n - 2)) + np.kron(np.eye(n - 2), second)
    modes = [np.kron(np.sin(number * np.pi * inner), np.sin(np.pi * inner)) for number in (1, 2)]
    along = np.kron(inner, np.ones(n - 2))
    phi, total = jnp.asarray(modes[0]), jnp.asarray(0.0)
    for step in range(SMALL.steps):
        time = step * dt
        source = theta[0] + sum(
            np.cos(m * np.pi * along)
            * (theta[2 * m - 1] * math.sin(m * math.pi * time) + theta[2 * m] * math.cos(m * math.pi * time))
            for m in (1, 2, 3)
        )
        phi = phi + dt * (SMALL.diffusion * laplacian @ phi + source * phi)
        total += ((phi - modes[0] - math.sin(math.pi * (time + dt)) / 4 * modes[1]) ** 2).sum()
    return total / SMALL.steps / n**2


def test_all_kept_it_is_the_gradient_of_the_plain_program() -> None:
    loss, gradient = jax.jit(jax.value_and_grad(SMALL.loss))(THETA, KEY)
    expected, wanted = jax.jit(jax.value_and_grad(plain))(THETA)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-7)


def test_sampled_the_loss_is_exact_and_the_gradient_unbiased() -> None:
    loss, wanted = jax.jit(jax.value_and_grad(SMALL.loss))(THETA, KEY)
    sampled = jax.jit(jax.vmap(jax.value_and_grad(SMALL.loss), (None, 0, None)), static_argnums=2)
    losses, gradients = sampled(THETA, jax.random.split(KEY, 4000), 0.2)
    np.testing.assert_allclose(losses, loss, rtol=1e-5)
    error = gradients.std(axis=0, ddof=1) / 4000**0.5
    assert float(jnp.abs((gradients.mean(axis=0) - wanted) / error).max()) < 4
    assert float((gradients.std(axis=0) / jnp.abs(wanted)).max()) > 0.05  # it is no exact one


def test_the_discrete_decay_is_held_up_by_its_coefficient() -> None:
    """2 D (2 - 2 cos(pi dx)) / dx^2, 4.931 on the paper's grid: phi stays phi(0), and only the target moves on."""
    decay = 2 * 0.25 * (2 - 2 * math.cos(math.pi / 4)) * 16
    theta = SMALL.start.at[0].set(decay)
    times = (np.arange(SMALL.steps) + 1) / SMALL.steps_per_unit
    missed = (np.sin(np.pi * times) / 4) ** 2 * 4 / 25  # the second mode's squares sum to 2 x 2 on this grid
    np.testing.assert_allclose(SMALL.loss(theta, KEY), missed.mean(), rtol=1e-4)
    assert 2 * 0.25 * (2 - 2 * math.cos(math.pi / 32)) * 32**2 == pytest.approx(4.931, abs=5e-4)


def test_the_gradients_memory_is_what_is_kept() -> None:
    """Of the compiled gradient; in each step come 4 words of keys, the time and what a step works on, shared by all."""
    problem = Problem(points=9, steps_per_unit=64, horizon=16.0, diffusion=0.25, harmonics=3, first=4.9)
    assert problem.kept_words(1.0) == 1024 * 3 * 81
    assert problem.kept_words(0.1) == 1024 * 4 * 9
    for keep in (1.0, 0.1):
        gradient = jax.jit(jax.grad(problem.loss), static_argnums=2)
        analysis = gradient.lower(problem.start, KEY, keep).compile().memory_analysis()
        assert analysis is not None
        assert 0 <= analysis.temp_size_in_bytes / 4 - problem.kept_words(keep) < 1024 * 10
