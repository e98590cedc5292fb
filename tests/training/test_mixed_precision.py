"""Mixed precision: halves are what the array multiplies, all that is kept is float32, and overflows change nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.dynamic_scale import DynamicScale

import jaxgrad_models
from jaxgrad.array.emulation import Emulation
from jaxgrad.flax import Rule, put_on_array
from jaxgrad.hardware import Accelerator
from jaxgrad.training import mixed_precision, runs
from jaxgrad.training.mixed_precision import FORMATS, LossScale
from jaxgrad.training.step import State, Trainer, trainer
from tests.training.test_loop import EMULATION, STEPS, assert_same, dataset, train

IMAGES, LABELS = dataset().train_images[:8], dataset().train_labels[:8]
RATE = 0.125
HALVES = {"bf16": ("bf16", 2.0**-8), "fp16": ("f16", 2.0**-11)}
"""By name: how a trace writes the type, and its unit of rounding."""


def made(name: str | None, model: nnx.Module, emulation: Emulation = EMULATION) -> Trainer:
    if name is not None:
        FORMATS[name].set_in(model)
    model = put_on_array(model, [Rule("*", emulation)])
    optimizer = optax.sgd(RATE, momentum=0.5)
    return trainer(model, optimizer, IMAGES, LABELS, precision=None if name is None else FORMATS[name])


class Smooth(nnx.Module):
    """A network of tanh: no ReLU, of which rounding may change the side."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.first = nnx.Linear(64, 12, rngs=rngs)
        self.head = nnx.Linear(12, 10, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.head(jnp.tanh(self.first(images.reshape(len(images), -1))))


@pytest.fixture(scope="module")
def trainers() -> Mapping[str | None, Trainer]:
    return {name: made(name, Smooth()) for name in (None, *FORMATS)}


def gradient(trained: Trainer, state: State, images: np.ndarray) -> np.ndarray:
    """Of all parameters in a row: the momentum that a first step leaves."""
    momentum = trained.step(state, images, LABELS).opt_state[0].trace
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(momentum)])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize("name", FORMATS)
def test_gradients_are_those_of_floats_within_rounding(name: str, trainers: Mapping[str | None, Trainer]) -> None:
    plain, half = trainers[None], trainers[name]
    state = half.initial if half.initial.scale is None else replace(half.initial, scale=scale(2.0**10))
    error = distance(gradient(half, state, IMAGES), gradient(plain, plain.initial, IMAGES))
    assert 0 < error < 16 * HALVES[name][1]
    counted = np.ones(8, bool)
    losses = [float(each.evaluate(each.initial, IMAGES, LABELS, counted).loss) for each in (half, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=4 * HALVES[name][1])


def scale(factor: float) -> LossScale:
    return LossScale(jnp.float32(factor), jnp.uint32(0))


def test_a_scaled_loss_keeps_gradients_that_float16_would_lose(trainers: Mapping[str | None, Trainer]) -> None:
    """Behind a head of small weights the first layer's cotangents are near the least that float16 has."""

    def state(name: str | None, factor: float | None = None) -> State:
        start = trainers[name].initial
        params = jax.tree.map_with_path(
            lambda path, leaf: leaf * 2.0**-14 if "head" in jax.tree_util.keystr(path) else leaf, start.params
        )
        return replace(start, params=params, scale=None if factor is None else scale(factor))

    expected = gradient(trainers[None], state(None), IMAGES)
    small = np.abs(expected) < 2.0**-14
    assert small.sum() > 64 * 11  # the first layer's
    errors = {
        factor: distance(gradient(trainers["fp16"], state("fp16", factor), IMAGES)[small], expected[small])
        for factor in (1.0, 2.0**10)
    }
    assert errors[1.0] > 0.01 > 0.002 > errors[2.0**10]


def test_an_overflow_skips_the_step_and_halves_the_scale(trainers: Mapping[str | None, Trainer]) -> None:
    half = trainers["fp16"]
    one = half.step(replace(half.initial, scale=scale(2.0**10)), IMAGES, LABELS)
    assert one.scale is not None
    assert float(one.scale.factor) == 2.0**10
    assert int(one.scale.steps) == 1
    skipped = half.step(replace(one, scale=scale(2.0**40)), IMAGES, LABELS)
    assert_same((skipped.params, skipped.opt_state, skipped.rest), (one.params, one.opt_state, one.rest))
    assert skipped.scale is not None
    assert float(skipped.scale.factor) == 2.0**39
    assert int(skipped.step) == 2
    assert skipped.cycles() == 2 * one.cycles()
    assert np.isfinite(skipped.sums.means()[0])
    goes_on = half.step(replace(skipped, scale=scale(2.0**10)), IMAGES, LABELS)
    assert not np.array_equal(jax.tree.leaves(goes_on.params)[0], jax.tree.leaves(one.params)[0])


def test_what_the_array_counts_is_that_of_floats(trainers: Mapping[str | None, Trainer]) -> None:
    counted = [
        {
            path: {key: value for key, value in layer.total.as_dict().items() if key != "effectual_macs"}
            for path, layer in each.step(each.initial, IMAGES, LABELS).counters.items()
        }
        for each in trainers.values()
    ]
    assert counted[0]["head"]["cycles"] > 0
    assert counted[0] == counted[1] == counted[2]


def test_a_run_in_float16_that_stops_and_goes_on_ends_the_same(
    tmp_path: Path, trainers: Mapping[str | None, Trainer]
) -> None:
    half = trainers["fp16"]
    half = replace(half, initial=replace(half.initial, scale=scale(2.0**20)))  # the first steps overflow
    whole = train(tmp_path / "whole", half)
    for stop in (4, None):
        parts = train(tmp_path / "parts", half, stop)
    assert_same(parts, whole)
    assert whole.scale is not None
    assert 0 < int(whole.scale.steps) < STEPS
    records = runs.reopen(tmp_path / "whole").metrics()
    assert records[-1]["loss_scale"] == float(whole.scale.factor) < 2.0**20
    assert (tmp_path / "parts" / runs.METRICS).read_bytes() == (tmp_path / "whole" / runs.METRICS).read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_all_products_are_of_halves_and_all_that_is_kept_of_floats(name: str) -> None:
    model = jaxgrad_models.build(
        "mlp", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0), hidden=[6, 5], batch_norm=True
    )
    half = made(name, model)
    trace, after = jax.make_jaxpr(half.step, return_shape=True)(half.initial, IMAGES, LABELS)
    products = re.findall(r":(\w+)\[[\d,]*\] = dot_general", str(trace))
    assert len(products) == 3 * 3 - 1  # no dX of the first layer
    assert set(products) == {HALVES[name][0]}
    for kept in (after.params, after.opt_state, after.rest, after.sums.loss):
        assert {leaf.dtype for leaf in jax.tree.leaves(kept)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("dtype", [each.dtype for each in FORMATS.values()], ids=list(FORMATS))
def test_batch_normalisation_rounds_its_result_alone(dtype: Any) -> None:
    plain, half = (nnx.BatchNorm(3, rngs=nnx.Rngs(0), momentum=0.5) for _ in range(2))
    mixed_precision.MixedPrecision(dtype).set_in(half)
    x = (jax.random.normal(jax.random.key(0), (16, 3)) + 100).astype(dtype)
    for training in (True, False):
        (plain.train if training else plain.eval)()
        (half.train if training else half.eval)()
        exact, rounded = plain(x.astype(jnp.float32)), half(x)
        assert rounded.dtype == dtype
        np.testing.assert_array_equal(rounded, exact.astype(dtype))
    np.testing.assert_array_equal(half.mean[...], plain.mean[...])
    np.testing.assert_array_equal(half.var[...], plain.var[...])


def test_layers_that_say_their_type_keep_it() -> None:
    layers = nnx.Sequential(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), nnx.Linear(2, 2, dtype=jnp.float32, rngs=nnx.Rngs(0)))
    FORMATS["bf16"].set_in(layers)
    assert [layer.dtype for layer in layers.layers] == [jnp.bfloat16, jnp.float32]


def test_tiles_sum_products_of_halves_in_float32_and_round_once() -> None:
    """One layer: its sums, by hand, of operands that are rounded to halves."""

    class Head(nnx.Module):
        def __init__(self) -> None:
            self.dense = nnx.Linear(64, 10, use_bias=False, rngs=nnx.Rngs(0))

        def __call__(self, images: jax.Array) -> jax.Array:
            return self.dense(images.reshape(len(images), -1))

    tiles = made("bf16", Head(), Emulation(Accelerator(4, 3), fidelity="tile"))
    x = jnp.asarray(IMAGES).reshape(8, -1).astype(jnp.bfloat16).astype(jnp.float32)
    w = Head().dense.kernel[...].astype(jnp.bfloat16).astype(jnp.float32)
    logits = (x @ w).astype(jnp.bfloat16).astype(jnp.float32)
    dy = (jax.nn.softmax(logits) - jax.nn.one_hot(LABELS, 10)) / 8
    dw = x.T @ dy.astype(jnp.bfloat16).astype(jnp.float32)
    got = gradient(tiles, tiles.initial, IMAGES).reshape(dw.shape)
    np.testing.assert_allclose(got, dw, rtol=2.0**-7, atol=2.0**-9 * float(jnp.abs(dw).max()))


def test_a_scale_goes_as_flaxs_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed_precision, "INTERVAL", 3)
    own, theirs = LossScale.first(), DynamicScale(growth_interval=3)
    for finite in (True, False, *[True] * 5, False, *[True] * 9):
        theirs = theirs.value_and_grad(lambda x: x)(jnp.float32(1.0))[0] if finite else overflown(theirs)
        own = own.updated(jnp.array(finite))
        assert float(own.factor) == float(theirs.scale)
        assert int(own.steps) == int(theirs.fin_steps)


def overflown(theirs: DynamicScale) -> DynamicScale:
    return theirs.value_and_grad(lambda x: x * jnp.inf)(jnp.float32(1.0))[0]
