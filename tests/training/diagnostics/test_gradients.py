"""Moments of gradients against brute force, and what corrects them against averages over samplings."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.training.diagnostics import Moments, mean_loss, mean_square, moments, noise, squared_norm

EXAMPLES, SIZE, WIDTH = 24, 4, 3
X = np.random.default_rng(0).standard_normal((EXAMPLES, WIDTH)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal(EXAMPLES).astype(np.float32)
PARAMS = {"w": jnp.array([0.3, -0.2, 0.5]), "b": jnp.float32(0.1)}


def loss(params: Any, batch: Any) -> jax.Array:
    x, y, counted = batch
    errors = jnp.tanh(x @ params["w"]) + params["b"] - y
    return jnp.sum(errors**2 * counted) / jnp.sum(counted)


def batches(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """The last batch is filled up with examples that do not count."""
    filled = np.resize(rows, -(-len(rows) // SIZE) * SIZE)
    counted = (np.arange(len(filled)) < len(rows)).astype(np.float32)
    return tuple(part.reshape(-1, SIZE, *part.shape[1:]) for part in (X[filled], Y[filled], counted))


def gradient(rows: np.ndarray) -> np.ndarray:
    tree = jax.grad(loss)(PARAMS, (X[rows], Y[rows], np.ones(len(rows), np.float32)))
    return np.concatenate([np.ravel(tree["w"]), np.ravel(tree["b"])]).astype(float)


@jax.jit
def measured(batch: Any) -> Moments:
    return moments(loss, PARAMS, batch, batch[2].mean(axis=1))


def test_moments_of_all_examples_are_those_of_brute_force() -> None:
    rows = np.arange(EXAMPLES)
    found = measured(batches(rows))
    parts = np.array([gradient(part) for part in rows.reshape(-1, SIZE)])
    full = gradient(rows)
    whole = (X, Y, np.ones(EXAMPLES, np.float32))
    assert float(found.loss) == pytest.approx(float(loss(PARAMS, whole)), rel=1e-6)
    np.testing.assert_allclose([*found.gradient["w"], found.gradient["b"]], full, rtol=1e-5)
    population = EXAMPLES / SIZE
    assert float(noise(found, population)) == pytest.approx(((parts - full) ** 2).sum(axis=1).mean(), rel=1e-5)
    assert float(squared_norm(found, population)) == pytest.approx((full**2).sum(), rel=1e-5)
    assert float(mean_square(found, population)) == pytest.approx((parts**2).sum(axis=1).mean(), rel=1e-5)


def test_a_last_batch_that_is_not_full_counts_by_its_examples() -> None:
    rows = np.arange(EXAMPLES - 1)
    found = measured(batches(rows))
    np.testing.assert_allclose([*found.gradient["w"], found.gradient["b"]], gradient(rows), rtol=1e-5)
    assert float(found.weight) == pytest.approx(len(rows) / SIZE)
    data = batches(rows)
    assert float(mean_loss(loss, PARAMS, data, data[2].mean(axis=1))) == pytest.approx(float(found.loss), rel=1e-6)


def test_a_batch_of_weight_0_is_left_out() -> None:
    data = batches(np.arange(EXAMPLES))
    some = moments(loss, PARAMS, tuple(part[:4] for part in data))
    padded = moments(loss, PARAMS, data, np.array([1, 1, 1, 1, 0, 0]))
    for one, other in zip(jax.tree.leaves(some), jax.tree.leaves(padded), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("drawn", [12, 10], ids=["whole batches", "a last one of two examples"])
def test_a_sample_is_right_in_the_mean_over_samplings(drawn: int, replacement: bool) -> None:
    generator = np.random.default_rng(2)
    population = math.inf if replacement else EXAMPLES / SIZE
    samples = [batches(generator.choice(EXAMPLES, drawn, replace=replacement)) for _ in range(4000)]
    found = jax.lax.map(measured, tuple(np.stack(parts) for parts in zip(*samples, strict=True)))
    each = np.array([gradient(np.array([row])) for row in range(EXAMPLES)])
    full = each.mean(axis=0)
    true_noise = ((each - full) ** 2).sum() / EXAMPLES / SIZE
    if not replacement:
        true_noise *= (EXAMPLES - SIZE) / (EXAMPLES - 1)
    norms = np.asarray(jax.vmap(lambda one: squared_norm(one, population))(found))
    noises = np.asarray(jax.vmap(lambda one: noise(one, population))(found))
    plain = np.asarray(jax.vmap(lambda one: squared_norm(one, drawn / SIZE))(found))  # as if these were all
    for values, truth in ((norms, (full**2).sum()), (noises, true_noise)):
        assert abs(values.mean() - truth) < 4 * values.std() / math.sqrt(len(values))
    assert plain.mean() - (full**2).sum() > 8 * plain.std() / math.sqrt(len(plain))  # without the correction


def test_several_seeds_under_vmap() -> None:
    data = batches(np.arange(EXAMPLES))

    def told(params: dict[str, jax.Array]) -> list[jax.Array]:
        found = moments(loss, params, data)
        return [found.loss, squared_norm(found), noise(found), mean_square(found, EXAMPLES / SIZE)]

    seeds = [PARAMS, jax.tree.map(lambda leaf: 2 * leaf, PARAMS)]
    both = jax.vmap(told)(jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds))
    np.testing.assert_allclose(np.transpose(both), [told(params) for params in seeds], rtol=1e-4)
