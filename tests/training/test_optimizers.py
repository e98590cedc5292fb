"""Optimizers by name: each one's arithmetic on a step that is worked out by hand."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad.training import optimizers
from jaxgrad.training.learning_rates import learning_rate


def steps(
    name: str, gradients: list[float], rate: optax.ScalarOrSchedule = 0.1, **options: float | None
) -> list[float]:
    """The parameter after each gradient, from 1."""
    optimizer = optimizers.build(name, rate=rate, **options)  # pyright: ignore[reportArgumentType]
    parameter = jnp.float32(1.0)
    state = optimizer.init(parameter)
    path = []
    for gradient in gradients:
        updates, state = optimizer.update(jnp.float32(gradient), state, parameter)
        parameter = optax.apply_updates(parameter, updates)
        path.append(float(np.asarray(parameter)))
    return path


def test_sgd() -> None:
    assert steps("sgd", [1.0, 2.0]) == pytest.approx([0.9, 0.7])


def test_sgd_with_weight_decay_adds_it_to_the_gradient() -> None:
    assert steps("sgd", [1.0], weight_decay=0.5) == pytest.approx([1 - 0.1 * (1 + 0.5)])


def test_momentum() -> None:
    assert steps("momentum", [1.0, 1.0], momentum=0.5) == pytest.approx([0.9, 0.9 - 0.1 * 1.5])


def test_adam_starts_with_a_step_of_its_rate() -> None:
    assert steps("adam", [5.0]) == pytest.approx([0.9], abs=1e-5)


def test_adamw_decays_apart_from_the_gradient() -> None:
    assert steps("adamw", [5.0], weight_decay=0.5) == pytest.approx([0.9 - 0.1 * 0.5], abs=1e-5)


def test_rmsprop_divides_by_the_root_mean_square() -> None:
    # optax: nu = 0.1 g^2 at first (decay 0.9), step = rate * g / sqrt(nu + eps)
    assert steps("rmsprop", [2.0]) == pytest.approx([1 - 0.1 / np.sqrt(0.1)], abs=1e-5)


def test_cosine_goes_down_to_nothing() -> None:
    path = steps("sgd", [1.0] * 4, learning_rate(0.1, "cosine", steps=4, per_epoch=2))
    sizes = -np.diff([1.0, *path])
    np.testing.assert_allclose(sizes, 0.1 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2, rtol=1e-5)


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_each_takes_its_own_defaults(name: str) -> None:
    options = {**optimizers.DEFAULTS[name]}
    rate = learning_rate(options.pop("learning_rate"), "cosine", steps=3, per_epoch=1)
    optimizer = optimizers.build(name, rate=rate, **options)  # pyright: ignore[reportArgumentType]
    updates, _ = optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), jnp.ones(2))
    assert np.isfinite(np.asarray(updates)).all()
