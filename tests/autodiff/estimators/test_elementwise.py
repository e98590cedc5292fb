"""jaxgrad.autodiff.estimators.elementwise: an exact product whose gradients are sampled without bias."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jaxgrad.autodiff.estimators.elementwise import kept, sampled_product

SIZE, KEEP, RUNS = 12, 0.25, 20_000
A, B, C, G = jax.random.normal(jax.random.key(0), (4, SIZE))


def scores(estimate: Callable[[Array], Array], expected: Array) -> np.ndarray:
    """Of each value by how many standard errors the mean of many draws is off."""
    drawn = jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(1), RUNS))
    error = drawn.std(axis=0, ddof=1) / RUNS**0.5
    return np.asarray(jnp.abs(drawn.mean(axis=0) - expected) / error)


@pytest.mark.parametrize("operand", [0, 1])
def test_a_gradient_is_unbiased(operand: int) -> None:
    """48 values in all, of which the largest score is below 4 but in one of 300 seeds."""

    def gradient(key: Array) -> Array:
        return jax.grad(lambda a, b: (sampled_product(a, b, key, KEEP) * G).sum(), argnums=operand)(A, B)

    assert scores(gradient, (B, A)[operand] * G).max() < 4


def test_the_variance_is_that_of_draws_with_replacement() -> None:
    """Of b g at k indices, times d/k: ``((d - 1)/k) sum_i (b_i g_i)^2``, as of a row of RAD's dW."""

    def gradient(key: Array) -> Array:
        return jax.grad(lambda a: (sampled_product(a, B, key, KEEP) * G).sum())(A)

    drawn = jax.jit(jax.vmap(gradient))(jax.random.split(jax.random.key(2), RUNS))
    variance = ((drawn - B * G) ** 2).sum(axis=1)
    expected = (SIZE - 1) / kept(SIZE, KEEP) * ((B * G) ** 2).sum()
    assert abs(float(variance.mean() - expected)) < 4 * float(variance.std()) / RUNS**0.5


def test_what_is_kept_of_one_operand_is_independent_of_the_other() -> None:
    """A square's gradient is the sum of two: twice one's variance, with the same draws four times."""

    def gradient(key: Array) -> Array:
        return jax.grad(lambda a: (sampled_product(a, a, key, KEEP) * G).sum())(A)

    drawn = jax.jit(jax.vmap(gradient))(jax.random.split(jax.random.key(4), RUNS))
    variance = ((drawn - 2 * A * G) ** 2).sum(axis=1)
    expected = 2 * (SIZE - 1) / kept(SIZE, KEEP) * ((A * G) ** 2).sum()
    assert abs(float(variance.mean() - expected)) < 4 * float(variance.std()) / RUNS**0.5


def test_two_products_in_a_row_are_unbiased_by_independent_draws() -> None:
    """d/da of ((a b) c) goes through both; with one key for the two the same values are drawn, which is not unbiased:
    what is drawn n times counts n^2 times, in the mean 1 + (d - 1)/k."""

    def gradient(keys: tuple[Array, Array]) -> Array:
        def value(a: Array) -> Array:
            return (sampled_product(sampled_product(a, B, keys[0], KEEP), C, keys[1], KEEP) * G).sum()

        return jax.grad(value)(A)

    expected = B * C * G
    assert scores(lambda key: gradient(tuple(jax.random.split(key))), expected).max() < 4
    shared = scores(lambda key: gradient((key, key)), expected)
    assert shared.max() > 10
    often = 1 + (SIZE - 1) / kept(SIZE, KEEP)
    assert scores(lambda key: gradient((key, key)), often * expected).max() < 4


@jax.custom_vjp
def masked(a: Array, b: Array, mask: Array) -> Array:
    """What not to do: one mask for both operands, and no factor."""
    return a * b


masked.defvjp(
    lambda a, b, mask: (a * b, (a * mask, b * mask)),
    lambda kept, g: (kept[1] * g, kept[0] * g, None),
)


def test_masks_without_their_factor_shrink_the_gradient_by_the_share_of_each() -> None:
    """Through two products that keep a share f each: f^2 times the gradient, where ours has the gradient."""

    def gradient(key: Array) -> Array:
        first, second = (jax.random.uniform(one, (SIZE,)) < KEEP for one in jax.random.split(key))
        return jax.grad(lambda a: (masked(masked(a, B, first), C, second) * G).sum())(A)

    assert scores(gradient, KEEP**2 * B * C * G).max() < 4
    assert scores(gradient, B * C * G).max() > 10


def test_all_of_it_is_exact_and_the_product_always_is() -> None:
    key = jax.random.key(3)
    exact = jax.value_and_grad(lambda a, b: (a * b * G).sum(), argnums=(0, 1))(A, B)
    whole = jax.value_and_grad(lambda a, b: (sampled_product(a, b, key, 1.0) * G).sum(), argnums=(0, 1))(A, B)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, whole, exact))
    assert jnp.array_equal(sampled_product(A, B, key, 0.01), A * B)


def test_what_is_kept_between_the_passes_is_small() -> None:
    a = b = jnp.ones((30, 40))
    _, pull = jax.vjp(lambda a, b: sampled_product(a, b, jax.random.key(0), 0.01), a, b)
    words = sum(leaf.size for leaf in jax.tree.leaves(pull) if jnp.issubdtype(leaf.dtype, jnp.floating))
    assert words == 2 * 12
    assert pull(jnp.ones((30, 40)))[0].shape == (30, 40)


def test_narrow_formats_stay_what_they_are() -> None:
    a = jnp.ones(8, jnp.bfloat16)
    da, db = jax.grad(lambda a, b: sampled_product(a, b, jax.random.key(0), 0.5).sum(), argnums=(0, 1))(a, a)
    assert da.dtype == db.dtype == jnp.bfloat16
    assert float(da.sum()) == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((A, B, 0.0), "keep: got 0.0; give a number above 0, and at most 1"),
        ((A, B, 1.5), "keep: got 1.5; give"),
        ((A, B[:3], 0.5), r"b: got \(3,\); give it the shape of a, \(12,\)"),
        ((A, jnp.arange(SIZE), 0.5), r"b: got dtype\('int32'\); give an array of floats"),
    ],
)
def test_bad_input(arguments: tuple[Array, Array, float], said: str) -> None:
    a, b, keep = arguments
    with pytest.raises(ValueError, match=said):
        sampled_product(a, b, jax.random.key(0), keep)
