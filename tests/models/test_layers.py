from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxgrad_models.layers import local_response_norm


def test_local_response_norm_divides_by_the_energy_of_five_channels():
    x = 100 * np.random.default_rng(0).normal(size=(2, 3, 1, 7))
    expected = np.empty_like(x)
    for channel in range(7):
        energy = (x[..., max(0, channel - 2) : channel + 3] ** 2).sum(axis=-1)
        expected[..., channel] = x[..., channel] / (2 + 1e-4 * energy) ** 0.75
    np.testing.assert_allclose(local_response_norm(jnp.asarray(x, jnp.float32)), expected, rtol=1e-5)
