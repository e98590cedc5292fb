"""Masks of ReLUs, against what JAX itself keeps between the passes of the same function."""

import doctest
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from jax import Array

from jaxgrad.programs import ReluMask, masks, step_masks

W, X = jnp.ones((4, 4)), jnp.ones((2, 4))


def plain(w: Array, x: Array) -> Array:
    return jax.nn.relu(jax.nn.relu(x @ w) @ w)


def looped(w: Array, x: Array) -> Array:
    out, _ = jax.lax.scan(lambda carry, _: (jax.nn.relu(carry @ w), None), x, None, length=3)
    return out


def mapped(w: Array, x: Array) -> Array:
    return jax.vmap(jax.nn.relu)(jax.jit(jax.nn.relu)(x @ w) @ w)


def beside(w: Array, x: Array) -> Array:
    """One that no derivative goes through, and nonlinearities that are no ReLU."""
    return jax.nn.relu(x) + jnp.tanh(jnp.maximum(x @ w, 0)) + jnp.where(x @ w > 0, x, 0)


def read(function: Callable[..., Array]) -> list[ReluMask]:
    return step_masks(jax.make_jaxpr(jax.grad(lambda w, x: function(w, x).sum()))(W, X))


def kept(function: Callable[..., Array]) -> int:
    """Elements of the truth values among what JAX's own backward pass holds."""
    _, pull = jax.vjp(lambda w: function(w, X), W)
    return sum(leaf.size for leaf in jax.tree.leaves(pull) if leaf.dtype == jnp.bool_)


@pytest.mark.parametrize("function", [plain, looped, mapped])
def test_has_a_bit_of_each_element_that_jax_keeps(function: Callable[..., Array]) -> None:
    assert sum(mask.elements * mask.times for mask in read(function)) == kept(function) > 0


def test_a_loops_masks_are_of_every_round() -> None:
    assert read(looped) == [ReluMask("model", elements=8, times=3)]


def test_no_derivative_no_mask() -> None:
    assert read(beside) == []
    assert step_masks(jax.make_jaxpr(plain)(W, X)) == []


def test_what_is_computed_anew_counts_once() -> None:
    assert read(jax.checkpoint(plain)) == read(plain)
    again = jax.checkpoint(lambda w, x: looped(w, x))  # a loop inside of what is computed anew
    assert read(again) == read(looped)


def test_each_is_of_the_scope_that_computes_it() -> None:
    def named(w: Array, x: Array) -> Array:
        with jax.named_scope("first"):
            h = jax.nn.relu(x @ w)
        return jax.nn.relu(h @ w)

    assert [mask.path for mask in read(named)] == ["first", "model"]


def test_words_are_whole_each_time() -> None:
    for elements in (1, 31, 32, 33, 64, 65):
        assert ReluMask("", elements).words == math.ceil(elements / 32)
        assert ReluMask("", elements, times=3).words == 3 * math.ceil(elements / 32)


def test_the_documented_examples() -> None:
    assert doctest.testmod(masks).failed == 0
