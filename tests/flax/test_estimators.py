"""Estimators by rules on Flax models: which layers have one, what it poses, whence its keys come."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import Array

from jaxgrad import Accelerator, Counters, Emulation, Gemm, Precision, Rules, count, count_forward
from jaxgrad.autodiff import LayerCounters
from jaxgrad.autodiff.estimators import EXACT, Estimator, rounded, stored_words
from jaxgrad.flax import Rule, Tap, linen, put_on_array, read_counters, step_gemms, value_and_grad
from tests.autodiff.estimators.own import Columns, OneBit, Sketch
from tests.flax.models import Remat, Scanned
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 4)
EMULATION = Emulation(ARRAY, fidelity="tile")
IMAGES = jax.random.normal(jax.random.key(0), (2, 6, 6, 4))
COLUMNS, SKETCH = Columns(2), Sketch(3)


class Small(nnx.Module):
    """Two convolutions and two dense layers, on images of [2, 6, 6, 4]."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(4, 3, (3, 3), strides=2, rngs=rngs)
        self.conv2 = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.dense = nnx.Linear(36, 5, rngs=rngs)
        self.head = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        x = nnx.relu(self.conv2(nnx.relu(self.conv1(images))))
        return self.head(jnp.tanh(self.dense(x.reshape(len(x), -1))))


def squares(model: Any, x: Array) -> Array:
    return (model(x) ** 2).mean()


def small(*rules: Rule, seed: int = 0) -> Small:
    rules = (*rules, Rule("*", EMULATION))
    return put_on_array(Small(nnx.Rngs(1)), rules, rngs=nnx.Rngs(estimator=seed))


@nnx.jit
def step(model: Any, x: Array) -> tuple[Array, nnx.State, dict[str, LayerCounters]]:
    return value_and_grad(squares)(model, x)


def shape_counts(counters: Counters) -> dict[str, int]:
    return {name: number for name, number in counters.as_dict().items() if name != "effectual_macs"}


def closed_form(*parts: Counters) -> dict[str, int]:
    return shape_counts(sum(parts, start=Counters.zero()))


def leaves(gradients: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(gradients)]


CONV1, CONV2, DENSE = Gemm(18, 36, 3), Gemm(18, 27, 4), Gemm(2, 36, 5)


def test_each_layer_has_the_estimator_of_its_rule() -> None:
    model = small(Rule("conv*", EMULATION, COLUMNS), Rule("dense", EMULATION, SKETCH))
    exact = small()
    (value, gradients, counters), (expected, exact_gradients, exact_counters) = step(model, IMAGES), step(exact, IMAGES)
    assert value == expected  # the forward pass is exact
    assert list(counters) == list(exact_counters)
    by_layer = {path: np.array_equal(*map(leaves_of(path), (gradients, exact_gradients))) for path in counters}
    assert by_layer == {"conv1": False, "conv2": False, "dense": False, "head": True}
    assert counters["head"].total.as_dict() == exact_counters["head"].total.as_dict()
    # conv1, at the input, has dW of 2 of its 4 channels; conv2 of 2 of 3, with as many of dX, whose rest is alone.
    assert shape_counts(counters["conv1"].forward) == closed_form(count_forward(CONV1, ARRAY))
    assert shape_counts(counters["conv1"].backward) == closed_form(count(Gemm(18, 18, 3), ARRAY, dx=False))
    assert shape_counts(counters["conv2"].forward) == closed_form(count_forward(CONV2, ARRAY))
    both, rest = count(Gemm(18, 18, 4), ARRAY), count(Gemm(18, 9, 4), ARRAY, dw=False)
    assert shape_counts(counters["conv2"].backward) == closed_form(both, rest)
    sketched = count_forward(DENSE, ARRAY) + count_forward(Gemm(2, 36, 3), ARRAY)
    assert shape_counts(counters["dense"].forward) == closed_form(sketched)
    alone = count(DENSE, ARRAY, dw=False), count(Gemm(2, 3, 5), ARRAY, dx=False), count_forward(Gemm(36, 3, 5), ARRAY)
    assert shape_counts(counters["dense"].backward) == closed_form(*alone)


def test_stored_words_by_rule() -> None:
    rules = Rules.of([Rule("dense", EMULATION, SKETCH), Rule("conv*", EMULATION)])
    words = stored_words(step_gemms(Small(nnx.Rngs(0)), IMAGES), rules.estimator)
    assert words.layers == {"conv1": 2 * 6 * 6 * 4, "conv2": 2 * 3 * 3 * 3, "dense": 2 * 3, "head": 2 * 5}
    assert words.peak == words.layers["conv1"]


def leaves_of(path: str) -> Any:
    return lambda gradients: np.asarray(gradients[path]["kernel"][...])


def test_a_step_written_by_hand_gives_and_counts_the_same() -> None:
    model = small(Rule("conv2", EMULATION, COLUMNS), Rule("dense", EMULATION, rounded(Precision.of("bf16"), SKETCH)))

    @jax.jit
    def by_hand(params: nnx.State, taps: nnx.State, rest: nnx.State) -> Any:
        def loss(params: nnx.State, taps: nnx.State) -> Array:
            return squares(nnx.merge(graph, params, taps, rest, copy=True), IMAGES)

        return jax.grad(loss, (0, 1))(params, taps)

    graph, params, taps, rest = nnx.split(model, nnx.Param, Tap, ...)
    gradients, taps = by_hand(params, taps, rest)
    _, expected, counters = step(model, IMAGES)
    for got, wanted in zip(leaves(gradients), leaves(expected), strict=True):
        np.testing.assert_array_equal(got, wanted)
    told = read_counters(taps)
    assert {path: told[path].total.as_dict() for path in counters} == {
        path: spent.total.as_dict() for path, spent in counters.items()
    }


def test_each_call_draws_a_key_of_the_model_s_stream() -> None:
    rule = Rule("dense", EMULATION, SKETCH)
    model, again, other = small(rule), small(rule), small(rule, seed=1)
    first, second = (leaves(step(model, IMAGES)[1]) for _ in range(2))
    assert all(map(np.array_equal, first, leaves(step(again, IMAGES)[1])))
    assert not all(map(np.array_equal, first, second))
    assert not all(map(np.array_equal, first, leaves(step(other, IMAGES)[1])))
    put_on_array(again, EMULATION)  # exact now
    assert all(map(np.array_equal, leaves(step(again, IMAGES)[1]), leaves(step(small(), IMAGES)[1])))


@pytest.mark.parametrize("build", [Scanned, Remat])
def test_in_loops_and_where_layers_run_again(build: Any) -> None:
    """The bf16 estimator is ``precision="bf16"``, and its counts are the exact ones'. But what ``remat`` runs again of
    an estimator is all its forward pass, also where its product alone would not be needed."""
    x = jax.random.normal(jax.random.key(2), (3, 6))
    precision = Precision.of("bf16")
    by_rule = put_on_array(build(nnx.Rngs(0)), [Rule("*", EMULATION, rounded(precision))])
    whole = put_on_array(build(nnx.Rngs(0)), Emulation(ARRAY, fidelity="tile", precision=precision))
    (value, gradients, counters), (expected, others, exact) = step(by_rule, x), step(whole, x)
    assert value == expected
    assert all(map(np.array_equal, leaves(gradients), leaves(others)))
    more = {"second": count_forward(Gemm(3, 6, 6), ARRAY)} if build is Remat else {}
    for path, spent in counters.items():
        assert spent.backward.as_dict() == exact[path].backward.as_dict()
        assert shape_counts(spent.forward) == closed_form(exact[path].forward, more.get(path, Counters.zero()))


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.Dense(3, name="head")(nn.relu(nn.Dense(7, name="body")(x)))


def linen_step(rules: list[Rule], key: Array) -> tuple[Any, dict[str, LayerCounters]]:
    x = jax.random.normal(jax.random.key(1), (5, 6))
    variables = Mlp().init(jax.random.key(0), x)
    taps = linen.new_taps(Mlp(), variables, x)

    def loss(variables: Any, taps: Any, key: Array) -> Array:
        with linen.on_array(rules, taps):
            return (Mlp().apply(variables, x, rngs={"estimator": key}) ** 2).sum()  # pyright: ignore

    gradients, cotangents = jax.jit(jax.grad(loss, (0, 1)))(variables, taps, key)
    return gradients["params"], linen.read_counters(cotangents)


@pytest.mark.parametrize("estimator", [EXACT, SKETCH, OneBit(0.3)], ids=lambda estimator: type(estimator).__name__)
def test_linen(estimator: Estimator) -> None:
    rules = [Rule("body", EMULATION), Rule("head", EMULATION, estimator)]
    gradients, counters = linen_step(rules, jax.random.key(0))
    exact, _ = linen_step([Rule("*", EMULATION)], jax.random.key(0))
    head = Gemm(5, 7, 3)
    forward, backward = [count_forward(head, ARRAY)], [count(head, ARRAY)]
    if estimator == SKETCH:
        forward.append(count_forward(Gemm(5, 7, 3), ARRAY))
        backward = [
            count(head, ARRAY, dw=False),
            count(Gemm(5, 3, 3), ARRAY, dx=False),
            count_forward(Gemm(7, 3, 3), ARRAY),
        ]
    assert shape_counts(counters["head"].forward) == closed_form(*forward)
    assert shape_counts(counters["head"].backward) == closed_form(*backward)
    kept = [np.array_equal(gradients[layer]["kernel"], exact[layer]["kernel"]) for layer in ("body", "head")]
    # A sketch leaves dX exact; weights of one bit change all that is behind them.
    assert kept == {EXACT: [True, True], SKETCH: [True, False]}.get(estimator, [False, False])
    again, _ = linen_step(rules, jax.random.key(0))
    assert np.array_equal(again["head"]["kernel"], gradients["head"]["kernel"])
    other, _ = linen_step(rules, jax.random.key(1))
    assert np.array_equal(other["head"]["kernel"], gradients["head"]["kernel"]) == (not estimator.random)


def without_key() -> None:
    model = small(Rule("*", EMULATION, SKETCH))
    model.dense(jnp.ones((2, 36)))


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(
            lambda: put_on_array(Small(nnx.Rngs(0)), [Rule("*", EMULATION, SKETCH)]), "rngs", "Sketch", "nnx.Rngs(seed)"
        ),
        Refusal(without_key, "key", "which computes dense", "nnx.Rngs"),
        Refusal(
            lambda: put_on_array(Small(nnx.Rngs(0)), [Rule("*", EMULATION, "bf16")]),  # pyright: ignore
            "rules[0].estimator",
            "'bf16'",
            "rounded(",
        ),
    ],
    ids=lambda refusal: refusal.shown,
)
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
