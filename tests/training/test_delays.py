"""Training under a pipeline's delays: which layer has which, and that a step is that of ``pipelines.delayed``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad.array.emulation import Emulation
from jaxgrad.base.errors import InputError
from jaxgrad.flax import put_on_array, step_work
from jaxgrad.hardware import Accelerator
from jaxgrad.pipelines import network
from jaxgrad.pipelines.delayed import delayed
from jaxgrad.pipelines.plans import plans
from jaxgrad.training.delays import Delays, planned
from jaxgrad.training.step import State, trainer

EMULATION = Emulation(Accelerator(4, 3))
LAYERS = ("hidden.0", "hidden.1", "head")
BATCH = 8


def mlp() -> nnx.Module:
    return jaxgrad_models.build("mlp", input_shape=(4, 4, 1), classes=10, rngs=nnx.Rngs(0))


def batches(count: int) -> list[tuple[jax.Array, jax.Array]]:
    generator = np.random.default_rng(0)
    images = generator.random((count, BATCH, 4, 4, 1), np.float32)
    labels = generator.integers(0, 10, (count, BATCH)).astype(np.int32)
    return list(zip(jnp.asarray(images), jnp.asarray(labels), strict=True))


@pytest.mark.parametrize("weights", ["stash", "ema"])
def test_a_step_is_that_of_delayed(weights: str) -> None:
    delays = Delays(dict(zip(LAYERS, (3, 1, 0), strict=True)), weights)
    optimizer, data = optax.sgd(0.1, momentum=0.9), batches(9)
    made = trainer(put_on_array(mlp(), EMULATION), optimizer, *data[0], delays)
    graph, params, rest = nnx.split(mlp(), nnx.Param, ...)

    def loss(params: nnx.State, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        model: Any = nnx.merge(graph, params, rest, copy=True)
        return optax.softmax_cross_entropy_with_integer_labels(model(batch[0]), batch[1]).mean()

    init, step = delayed(loss, optimizer, {"hidden": {0: 3, 1: 1}, "head": 0}, weights)
    expected, jitted = init(nnx.to_pure_dict(params)), jax.jit(step)
    state, losses = made.initial, 0.0
    for images, labels in data:
        state = made.step(state, images, labels)
        expected, value = jitted(expected, (images, labels))
        losses += BATCH * float(value)
    assert float(state.sums.loss) == pytest.approx(losses, rel=1e-5)
    for got, wanted in zip(jax.tree.leaves(state.params), jax.tree.leaves(expected.params), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    assert state.versions is not None
    assert [len(ring) for ring in state.versions] == [1, 1, 4, 4, 2, 2]  # head, hidden.0, hidden.1
    if weights == "ema":
        assert state.average is not None
        assert expected.average is not None
        assert float(state.average.error) == pytest.approx(float(expected.average.error), rel=1e-3)


def test_the_newest_weights_are_evaluated() -> None:
    images, labels = batches(1)[0]
    made = trainer(put_on_array(mlp(), EMULATION), optax.sgd(0.5), images, labels, Delays({"hidden.0": 2}))
    state: State = made.initial
    for _ in range(2):
        state = made.step(state, images, labels)
    model: Any = mlp()
    nnx.update(model, state.params)
    losses = optax.softmax_cross_entropy_with_integer_labels(model(images), labels)
    evaluated = made.evaluate(state, images, labels, jnp.ones(BATCH, bool))
    assert float(evaluated.loss) == pytest.approx(float(losses.sum()), rel=1e-5)


def test_delays_are_those_of_the_plan_on_the_training_array() -> None:
    graph = step_work(mlp(), jax.ShapeDtypeStruct((BATCH, 4, 4, 1), jnp.float32)).graph
    steps = network(graph, EMULATION)
    for name in ("layerpipe", "pipedream"):
        plan = plans(lambda _: steps, BATCH, [3], [name])[3, name]
        expected = [plan.delay(number) for number in range(3)]
        assert any(expected)
        settings = {"processors": 3, "time": "cycles"}
        assert planned(graph, EMULATION, BATCH, name, weights="stash", **settings).layers == dict(
            zip(LAYERS, expected, strict=True)
        )
        synced = planned(graph, EMULATION, BATCH, name, weights="vertical_sync", **settings)
        assert set(synced.layers.values()) == {max(expected)}
    for name in ("single", "1f1b", "data_parallel"):
        assert not planned(graph, EMULATION, BATCH, name, weights="stash", **settings)
    for name, remedy in (("pipedream", "so many layers"), ("1f1b", "so many layers"), ("layerpipe", "passes and hal")):
        with pytest.raises(InputError, match=f"processors: got 99; give at most .* {remedy}"):
            planned(graph, EMULATION, BATCH, name, weights="stash", processors=99, time="cycles")


def test_a_parameter_of_no_layer_has_the_delay_of_the_first_of_those_nearest() -> None:
    params = {
        "blocks": {0: {"conv1": {"kernel": 0.0}, "norm1": {"scale": 0.0}, "norm2": {"scale": 0.0}}},
        "head": {"bias": 0.0},
        "norm": {"scale": 0.0},
    }
    delays = Delays({"stem": 9, "blocks.0.conv1": 6, "blocks.0.conv2": 5, "blocks.01": 1, "head": 0})
    assert delays.by_leaf(params) == {
        "blocks": {0: {"conv1": {"kernel": 6}, "norm1": {"scale": 6}, "norm2": {"scale": 6}}},
        "head": {"bias": 0},
        "norm": {"scale": 9},
    }
