"""Descents on losses whose least place is known."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jaxgrad.designs.descent import Slopes

STARTS = np.array([[0.0, 0.0], [8.0, 1.0], [3.0, 6.0]])
LOWER, UPPER = np.zeros(2), np.array([8.0, 6.0])


class Bowl:
    """Least at ``bottom``; what is chosen is the point itself, which tells how often that happens."""

    def __init__(self, *bottom: float) -> None:
        self._bottom = jnp.array(bottom)

    def choose(self, logs: Array) -> Any:
        return logs

    def loss(self, logs: Array, chosen: Array) -> Array:
        return jnp.sum((logs - self._bottom) ** 2)


def test_every_start_comes_to_the_least_place() -> None:
    with jax.enable_x64(True):
        found = Slopes(Bowl(5.0, 2.5)).descend(STARTS, LOWER, UPPER, 60)
    np.testing.assert_allclose(found.logs, np.tile([5.0, 2.5], (3, 1)), atol=0.05)
    assert found.losses.shape == (3, 60)
    np.testing.assert_allclose(found.losses[:, 0], [31.25, 11.25, 16.25])
    assert (found.losses[:, -1] < 0.01).all()


def test_it_stays_in_the_box() -> None:
    with jax.enable_x64(True):
        found = Slopes(Bowl(50.0, -7.0)).descend(STARTS, LOWER, UPPER, 60)
    np.testing.assert_allclose(found.logs, np.tile([8.0, 0.0], (3, 1)), atol=1e-9)


class Stubborn(Bowl):
    """Goes down only from what was chosen, by a slope that never ends."""

    def loss(self, logs: Array, chosen: Array) -> Array:
        return jnp.sum(jnp.abs(logs - chosen - 1.0))


def test_what_is_chosen_holds_for_five_steps() -> None:
    with jax.enable_x64(True):
        found = Slopes(Stubborn(0.0, 0.0)).descend(STARTS, LOWER - 100, UPPER + 100, 10)
    np.testing.assert_allclose(found.losses[:, [0, 5]], 2.0)  # chosen anew: one away in both axes
    assert (found.losses[:, 1:5] < 2.0).all()
    assert (found.losses[:, 6:] < 2.0).all()


@pytest.mark.parametrize("points", [0, 2, 3, 7])
def test_losses_at_as_many_points_as_one_likes(points: int) -> None:
    given = np.random.default_rng(0).uniform(size=(points, 2))
    with jax.enable_x64(True):
        found = Slopes(Bowl(1.0, 2.0)).losses(given, 3)
    np.testing.assert_allclose(found, ((given - [1.0, 2.0]) ** 2).sum(1))
