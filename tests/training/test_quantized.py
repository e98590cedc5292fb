"""Training in a few bits: each step by its formula, runs that stop and go on, and a start from another run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.estimators import EXACT
from jaxgrad.base.errors import InputError
from jaxgrad.flax import Rule, put_on_array, value_and_grad
from jaxgrad.hardware import Accelerator
from jaxgrad.quantization import project, quantized
from jaxgrad.training import initial, optimizers, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.methods import QuantizationSection
from jaxgrad.training.quantized import optimizer, rules
from jaxgrad.training.sections import OptimizerSection
from jaxgrad.training.step import State, Sums, Trainer, trainer
from jaxgrad.transform.rules import Rules
from tests.training.test_loop import assert_same, dataset, train

EMULATION = Emulation(Accelerator(4, 3))
RATE, DECAY, RHO = 0.05, 0.01, 0.1
IMAGES, LABELS = dataset().train_images[:8], dataset().train_labels[:8]


def section(**keys: Any) -> QuantizationSection:
    return QuantizationSection.model_validate({"weights_bits": 1, "activations_bits": 4, "blend": RHO, **keys})


def built(name: str, seed: int = 0, **keys: Any) -> nnx.Module:
    plain = jaxgrad_models.build(name, input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(seed))
    return put_on_array(plain, rules(section(**keys), EMULATION))


def made(name: str = "lenet", **keys: Any) -> tuple[nnx.Module, Trainer]:
    model, layers = built(name, **keys), rules(section(**keys), EMULATION)
    settings = {"name": "momentum", "learning_rate": RATE, "weight_decay": DECAY, "decay": "constant"}
    chosen = optimizer(OptimizerSection.model_validate(settings), layers, RHO, RATE)
    return model, trainer(model, chosen, IMAGES, LABELS)


def by_path(params: Any) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    names = (jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value") for path, _ in leaves)
    return {name: np.asarray(leaf) for name, (_, leaf) in zip(names, leaves, strict=True)}


def test_steps_are_those_of_the_formula() -> None:
    """Kernels of quantised layers blended, and their decay too; a float layer's, and biases, decayed as ever."""
    model, trained = made("mlp", layers="hidden.0, hidden.1")
    graph, _, rest = nnx.split(model, nnx.Param, ...)
    state, velocity = trained.initial, dict[str, np.ndarray]()

    def loss(model: Any, images: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(images), LABELS).mean()

    gradient = nnx.jit(value_and_grad(loss))
    for _ in range(2):
        before = by_path(state.params)
        gradients = by_path(gradient(nnx.merge(graph, state.params, rest, copy=True), IMAGES)[1])
        state = trained.step(state, IMAGES, LABELS)
        after = by_path(state.params)
        for name, old in before.items():
            decayed = 0 if name.startswith("_on_array") else old
            if name in ("hidden.0.kernel", "hidden.1.kernel"):
                decayed = (1 - RHO) * old + RHO * np.asarray(project(jnp.asarray(old), 1).values)
            scaled = np.clip(0.01 * gradients[name], -1, 1) if name.startswith("_on_array") else gradients[name]
            velocity[name] = 0.9 * velocity.get(name, 0) + scaled + DECAY * decayed
            start = old if name.startswith("_on_array") else decayed
            np.testing.assert_allclose(after[name], start - RATE * velocity[name], rtol=1e-4, atol=1e-5)
    assert len([name for name in after if name.startswith("_on_array.parameters.hidden.")]) == 2
    assert not any("head" in name for name in after if name.startswith("_on_array"))
    assert float(trained.evaluate(state, IMAGES, LABELS, np.ones(8, bool)).loss) > 0


def test_evaluation_is_of_the_quantised_weights() -> None:
    _, trained = made()
    images, counted = jnp.asarray(IMAGES), np.ones(8, bool)
    own = trained.evaluate(trained.initial, images, LABELS, counted).loss

    def projected(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        return project(leaf, 1).values if "kernel" in jax.tree_util.keystr(path) else leaf

    params = jax.tree_util.tree_map_with_path(projected, trained.initial.params)
    state = State(**{**vars(trained.initial), "params": params})
    assert float(trained.evaluate(state, images, LABELS, counted).loss) == pytest.approx(float(own), rel=1e-5)


def test_a_run_that_stops_and_goes_on_ends_the_same(tmp_path: Path) -> None:
    _, trained = made("mlp")
    whole = train(tmp_path / "whole", trained)
    for stop in (3, None):
        stopped = train(tmp_path / "stopped", trained, stop)
    assert_same(stopped, whole)


def test_a_start_from_another_run(tmp_path: Path) -> None:
    """Parameters and running statistics, and fresh resolutions; the run is of the same model."""
    _, params, rest = nnx.split(built("resnet20", seed=1), nnx.Param, ...)
    moved = jax.tree.map(lambda leaf: leaf + 0.25, params)
    running = jax.tree.map(lambda leaf: leaf + 0.5 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, rest)
    run = runs.create(tmp_path / "run", "")
    with Checkpoints(run.checkpoints) as checkpoints:
        checkpoints.save(3, State(moved, running, {}, {}, Sums.zero(), jnp.uint32(3)), {})
    model = built("resnet20")
    initial.take(model, run.folder)
    taken, saved = by_path(nnx.state(model, nnx.Param)), by_path(moved)
    for name, value in taken.items():
        if name.startswith("_on_array"):
            assert value == np.float32(0.1946)
        else:
            np.testing.assert_array_equal(value, saved[name])
    statistics = by_path(nnx.state(model, nnx.BatchStat))
    assert statistics
    saved_statistics = by_path(running)
    for name, value in statistics.items():
        np.testing.assert_array_equal(value, saved_statistics[name])
    other = built("mlp")
    for folder, said in ((run.folder, "of shape"), (tmp_path, "no run"), (tmp_path / "empty", "no whole checkpoint")):
        if folder.name == "empty":
            runs.create(folder, "").checkpoints.mkdir()
        with pytest.raises(InputError, match=said) as raised:
            initial.take(other, folder)
        assert raised.value.field == "init"
        assert "of the same model" in raised.value.remedy


def test_without_bits_nothing_changes() -> None:
    nothing = QuantizationSection()
    assert rules(nothing, EMULATION) == [Rule("*", EMULATION, EXACT)]
    chosen = OptimizerSection.model_validate({"name": "momentum", "weight_decay": DECAY})
    params = {"kernel": jnp.arange(4.0), "bias": jnp.ones(2)}
    rate = chosen.rate(steps=9, per_epoch=3)
    plain = optimizers.build("momentum", rate=rate, momentum=chosen.momentum, weight_decay=DECAY)
    other = optimizer(chosen, rules(nothing, EMULATION), 0.0, rate)
    for one in (plain, other):
        updates, _ = one.update(params, one.init(params), params)
        assert_same(updates, plain.update(params, plain.init(params), params)[0])


def test_rules_are_by_pattern() -> None:
    layers = rules(section(layers="conv*, dense1", by_input="relu"), EMULATION)
    ruled = Rules.of(layers)
    assert ruled.estimator("conv2") == ruled.estimator("dense1") == quantized(1, 4, by_input="relu")
    assert ruled.estimator("head") == EXACT
    image = Rules.of(rules(section(weights_only="conv1"), EMULATION))
    assert image.estimator("conv1") == quantized(1, None)
    assert image.estimator("head") == quantized(1, 4)
