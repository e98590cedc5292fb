"""Randomized automatic differentiation by rules: of whole networks and loops, and where there is no dW to estimate."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Emulation, Precision, Rule, emulate_function
from jaxgrad.autodiff.estimators import Estimator, rad, rounded
from jaxgrad.autodiff.estimators.rad import MODES
from tests.refusals import Refusal, assert_refused

NATIVE = Emulation(Accelerator(3, 4))
KEY = jax.random.key(0)
_RNG = np.random.default_rng(1)
X, W, V, G = (jnp.asarray(_RNG.standard_normal(shape), jnp.float32) for shape in ((5, 8), (8, 6), (6, 3), (5, 3)))
SAMPLES = 2000


def by(estimator: Estimator, emulation: Emulation = NATIVE) -> list[Rule]:
    return [Rule("*", emulation, estimator)]


def z_scores(samples: Array, exact: Array) -> np.ndarray:
    values = np.asarray(samples, np.float64)
    return (values.mean(0) - np.asarray(exact)) / (values.std(0, ddof=1) / math.sqrt(len(values)))


def network(weights: Any, x: Array) -> Array:
    w, v = weights
    return (G * (jax.nn.relu(x @ w) @ v)).sum() + ((x @ w) ** 2).sum()


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_of_a_whole_network_is_unbiased(mode: str) -> None:
    rules = by(rad(0.3, mode))

    def gradient(key: Array) -> Any:
        return jax.grad(lambda weights: emulate_function(network, rules, key=key)(weights, X)[0])((W, V))

    samples = jax.jit(jax.vmap(gradient))(jax.random.split(KEY, SAMPLES))
    exact = jax.grad(network)((W, V), X)
    varied = [np.asarray(sample).std(0) > 1e-6 for sample in samples]  # a ReLU that is shut for all rows varies not
    assert all(entries.mean() > 0.5 for entries in varied)
    for entries, sample, gradient_of_one in zip(varied, samples, exact, strict=True):
        assert np.abs(z_scores(sample[:, entries], gradient_of_one[entries])).max() < 4


def recurrent(w: Array, x: Array) -> Array:
    return lax.scan(lambda total, _: (total + (G @ V.T * (x @ w)).sum(), None), jnp.zeros(()), length=4)[0]


def test_each_round_of_a_loop_draws_anew() -> None:
    """One column of eight is kept; four rounds with one key would leave one row of dW."""
    on_array = emulate_function(recurrent, by(rad(0.1, "same")), key=KEY)
    dw = jax.jit(jax.grad(lambda w: on_array(w, X)[0]))(W)
    assert 1 < int((jnp.abs(dw).sum(1) > 0).sum()) <= 4


def of_slices(w: Array, x: Array) -> Array:
    for index in range(2):
        x = jnp.sin(x @ w[index])
    return x.sum()


def of_slices_on_the_left(w: Array, x: Array) -> Array:
    for index in range(2):
        x = jnp.sin(w[index] @ x)
    return x.sum()


@pytest.mark.parametrize("function", [of_slices, of_slices_on_the_left])
def test_slices_of_a_stacked_array_are_weights(function: Any) -> None:
    """dX of the second product is exact, and with it the first one's dW; its own dW has fewer rows, or columns."""
    w, x = jnp.stack([W[:6], W[2:]]), X[:, :6] if function is of_slices else X[:, :6].T
    first, _ = emulate_function(function, NATIVE).labels(w, x)[0]
    on_array = emulate_function(function, [Rule(first, NATIVE), *by(rad(0.2, "same"))], key=KEY)
    dw = jax.jit(jax.grad(lambda w: on_array(w, x)[0]))(w)
    exact = jax.grad(function)(w, x)
    np.testing.assert_allclose(dw[0], exact[0], rtol=1e-4, atol=1e-5)
    assert 0 < int((jnp.abs(dw[1]) > 0).any(1 if function is of_slices else 0).sum()) <= 2
    assert (jnp.abs(exact[1]) > 0).all()


def attention(w: Array, x: Array) -> Array:
    queries = jnp.sin(x) @ w
    return (queries @ queries.T).sum()


def test_a_product_of_two_activations_has_no_dw() -> None:
    for estimator in (rad(0.5, "same"), rounded(Precision.of("bf16"), rad(0.5, "same"))):
        refusal = Refusal(
            lambda estimator=estimator: emulate_function(attention, by(estimator), key=KEY)(W, X),
            "estimator", "which has no dW", "before the others",
        )  # fmt: skip
        assert_refused(refusal)
    _, of_activations = emulate_function(attention, NATIVE).labels(W, X)[0]
    rules = [Rule(of_activations, NATIVE), *by(rad(0.5, "same"))]
    exact = jax.grad(attention, 1)(W, X)
    dx = jax.grad(lambda x: emulate_function(attention, rules, key=KEY)(W, x)[0])(X)
    np.testing.assert_allclose(dx, exact, rtol=1e-4)
    emulate_function(attention, by(rad(1.0, "same")))(W, X)  # which is exact
    emulate_function(attention, by(rounded(Precision.of("bf16"))))(W, X)


def test_frozen_weights_need_no_estimate() -> None:
    def behind(x: Array) -> Array:
        return network((W, V), jnp.sin(x))

    on_array = emulate_function(behind, by(rad(0.3, "project")), key=KEY)
    dx = jax.jit(jax.grad(lambda x: on_array(x)[0]))(X)
    np.testing.assert_allclose(dx, jax.grad(behind)(X), rtol=1e-4, atol=1e-4)


def test_an_update_in_the_array_needs_the_whole_dw_there() -> None:
    in_array = Emulation(Accelerator(3, 4), weight_update="in_array")

    def run(mode: str) -> Any:
        return emulate_function(network, by(rad(0.3, mode), in_array), key=KEY)((W, V), X)

    for mode in ("same", "project"):
        refusal = Refusal(functools.partial(run, mode), "weight_update", "no whole dW", "'separate'")
        assert_refused(refusal)
    run("different")


def test_complex_numbers_are_refused() -> None:
    def function(w: Array) -> Array:
        return jnp.abs((X * 1j) @ w).sum()

    gradient = jax.grad(lambda w: emulate_function(function, by(rad(0.3, "same")), key=KEY)(w)[0])
    assert_refused(Refusal(lambda: gradient(W), "estimator", "complex", "real numbers"))
