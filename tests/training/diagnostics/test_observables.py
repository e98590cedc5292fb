"""Observables of the weights against NumPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.training.diagnostics import distance, norms, projections

TREE = {"w": jnp.arange(6.0).reshape(2, 3) - 2, "b": jnp.array([0.5, -7.0])}


def test_norms_and_distance_are_those_of_all_entries_together() -> None:
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(TREE)])
    assert [float(norm) for norm in norms(TREE)] == pytest.approx(
        [np.linalg.norm(flat, order) for order in (2, 1, np.inf)]
    )
    other = jax.tree.map(lambda leaf: leaf + 1, TREE)
    assert float(distance(TREE, other)) == pytest.approx(np.sqrt(len(flat)))


def test_projections_are_bounded_fixed_and_tell_weights_apart() -> None:
    scale = norms(TREE).l2
    values = np.asarray(projections(TREE, scale))
    assert values.shape == (4,)
    assert np.abs(values).max() < 1
    np.testing.assert_array_equal(values, projections(TREE, scale))
    assert len({*np.round(values, 6)}) > 1
    assert not np.allclose(values, projections(TREE, scale, seed=1))
    np.testing.assert_allclose(np.arctanh(projections(TREE, 10 * scale)), np.arctanh(values) / 10, rtol=1e-4)
    huge = jax.tree.map(lambda leaf: 1e6 * leaf, TREE)
    assert np.abs(np.asarray(projections(huge, scale))).max() <= 1
