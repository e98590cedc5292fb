"""Training: a step is plain SGD plus counters, and a run that stops anywhere ends as one that never stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad.array.counts import CYCLES, EFFECTUAL_MACS, MACS
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.estimators import EXACT, Estimator, rad
from jaxgrad.costs import measured, step_cost
from jaxgrad.flax import Rule, layer_gemms, put_on_array
from jaxgrad.hardware import Accelerator
from jaxgrad.training import loop, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.data import Dataset, batches
from jaxgrad.training.delays import Delays
from jaxgrad.training.loop import Plan
from jaxgrad.training.step import State, Trainer, trainer

EMULATION = Emulation(Accelerator(4, 3))
PLAN = Plan(batch_size=8, epochs=3, seed=1, checkpoint_every=2)
STEPS = 5 * 3  # 41 images are five batches of 8


def dataset(train: int = 41, test: int = 7) -> Dataset:
    generator = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        return generator.random((count, 8, 8, 1), np.float32)

    def labels(count: int) -> np.ndarray:
        return generator.integers(0, 10, count).astype(np.int32)

    return Dataset(images(train), labels(train), images(test), labels(test), 10, "noise")


def make(
    name: str,
    optimizer: optax.GradientTransformation | None = None,
    delays: Delays | None = None,
    estimator: Estimator = EXACT,
) -> tuple[nnx.Module, Trainer]:
    model = jaxgrad_models.build(name, input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0))
    model = put_on_array(model, [Rule("*", EMULATION, estimator)], rngs=nnx.Rngs(estimator=0))
    images, labels = dataset().train_images[:8], dataset().train_labels[:8]
    return model, trainer(model, optimizer or optax.adam(0.01), images, labels, delays)


def train(folder: Path, made: Trainer, stop_after: int | None = None, plan: Plan = PLAN) -> State:
    """Starts or goes on with the run in ``folder``, and gives up after some steps as a killed process would."""
    run = runs.reopen(folder) if folder.exists() else runs.create(folder, "")
    with Checkpoints(run.checkpoints) as checkpoints:
        state = loop.resume(made, run, checkpoints)
        for count, now in enumerate(loop.fit(made, state, dataset(), plan, run, checkpoints), start=1):
            state = now.state
            if count == stop_after:
                break
    return state


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_a_step_is_the_plain_gradient_step() -> None:
    _, made = make("lenet", optax.sgd(0.1))
    images, labels = jnp.asarray(dataset().train_images[:8]), dataset().train_labels[:8]
    plain = jaxgrad_models.build("lenet", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0))

    def loss(model: Any) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

    value, gradients = nnx.value_and_grad(loss)(plain)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, nnx.state(plain, nnx.Param), gradients)
    state = made.step(made.initial, images, labels)
    for got, wanted in zip(jax.tree.leaves(state.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    mean_loss, accuracy = state.sums.means()
    assert mean_loss == pytest.approx(float(value), rel=1e-5)
    assert accuracy == pytest.approx(float((plain(images).argmax(-1) == labels).mean()))  # pyright: ignore[reportCallIssue]


def test_running_statistics_are_trained_and_used_for_evaluation() -> None:
    _, made = make("resnet20")
    images, labels = dataset().train_images[:8], dataset().train_labels[:8]
    state = made.step(made.initial, images, labels)
    means = [leaf for path, leaf in nnx.to_flat_state(state.rest) if path[-1] == "mean"]
    assert means
    assert all(np.abs(np.asarray(mean.get_value())).max() > 0 for mean in means)
    # By running statistics an image's logits do not depend on its neighbours.
    counted = np.arange(8) < 4
    alone = made.evaluate(state, images, labels, counted)
    others = made.evaluate(state, np.where(counted[:, None, None, None], images, 7), labels, counted)
    assert float(alone.loss) == pytest.approx(float(others.loss), rel=1e-6)


def test_counters_add_up_over_the_steps(tmp_path: Path) -> None:
    model, made = make("lenet")
    state = train(tmp_path / "run", made)
    one_step = step_cost(layer_gemms(model, dataset().train_images[:8]), EMULATION, ("interleaved", "ws_only"))
    cost = measured(one_step, "interleaved", state.counters, STEPS)
    assert set(state.counters) == {layer.path for layer in cost.layers}
    for single, own in zip(one_step.layers, cost.layers, strict=True):
        for phase, got in (
            (single.forward, own.forward),
            (single.backward["interleaved"], own.backward["interleaved"]),
        ):
            assert {key: value for key, value in got.items() if key != EFFECTUAL_MACS} == {
                key: STEPS * value for key, value in phase.items() if key != EFFECTUAL_MACS
            }
            assert got[EFFECTUAL_MACS] <= got[MACS]
    assert state.cycles() == cost.total("interleaved")[CYCLES] + cost.total_forward()[CYCLES]


def test_the_log_has_a_line_an_epoch(tmp_path: Path) -> None:
    _, made = make("mlp")
    state = train(tmp_path / "run", made)
    records = runs.reopen(tmp_path / "run").metrics()
    assert [(record["epoch"], record["step"]) for record in records] == [(1, 5), (2, 10), (3, 15)]
    assert records[-1]["cycles"] == state.cycles() == 3 * records[0]["cycles"]
    # A training accuracy is of that epoch's 40 images alone, whole images of them.
    assert all((40 * record["train_accuracy"]).is_integer() for record in records)
    assert int(state.sums.images) == 0
    sums = loop.evaluated(made, state, dataset())
    assert int(sums.images) == 7
    assert (records[-1]["test_loss"], records[-1]["test_accuracy"]) == sums.means()


def test_all_test_images_are_evaluated_once_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    _, made = make("mlp")
    whole = loop.evaluated(made, made.initial, dataset())
    monkeypatch.setattr(loop, "_EVALUATED_AT_ONCE", 3)
    chunks = loop.evaluated(made, made.initial, dataset())
    assert (int(chunks.images), int(chunks.correct)) == (int(whole.images), int(whole.correct))
    assert float(chunks.loss) == pytest.approx(float(whole.loss), rel=1e-6)


@pytest.mark.parametrize("stops", [(1,), (2,), (4, 1), (5,), (6, 6), (9, 1, 1, 1), (14,), (15,)])
def test_a_run_that_stops_and_goes_on_ends_the_same(tmp_path: Path, stops: tuple[int, ...]) -> None:
    _, made = make("mlp")
    whole = train(tmp_path / "whole", made)
    for stop in stops:
        train(tmp_path / "parts", made, stop)
    parts = train(tmp_path / "parts", made)
    assert_same(parts, whole)
    for name in (runs.METRICS, runs.CONFIG):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_on_augmented_images_goes_on_with_the_same_pixels(tmp_path: Path) -> None:
    _, made = make("mlp")
    plan = replace(PLAN, augment=("crop", "flip"))
    whole = train(tmp_path / "whole", made, plan=plan)
    for stop in (3, 6):
        train(tmp_path / "parts", made, stop, plan)
    assert_same(train(tmp_path / "parts", made, plan=plan), whole)
    log = (tmp_path / "whole" / runs.METRICS).read_bytes()
    assert (tmp_path / "parts" / runs.METRICS).read_bytes() == log
    state = made.initial
    for epoch in range(PLAN.epochs):  # by hand, without a thread
        for images, labels in batches(dataset(), PLAN.batch_size, PLAN.seed, epoch, augment=plan.augment):
            state = made.step(state, images, labels)
    assert_same(state.params, whole.params)


def test_a_run_under_delays_that_stops_and_goes_on_ends_the_same(tmp_path: Path) -> None:
    _, made = make("mlp", delays=Delays({"hidden.0": 4, "hidden.1": 1, "head": 0}, "ema"))
    whole = train(tmp_path / "whole", made)
    train(tmp_path / "parts", made, 7)  # the last checkpoint is of step 6
    assert_same(train(tmp_path / "parts", made), whole)
    log = (tmp_path / "whole" / runs.METRICS).read_bytes()
    assert (tmp_path / "parts" / runs.METRICS).read_bytes() == log
    assert whole.average is not None
    errors = [record["rebuilding_error"] for record in runs.reopen(tmp_path / "whole").metrics()]
    assert errors[-1] == float(whole.average.error) > 0


def test_the_log_has_the_rate_of_each_epochs_last_step(tmp_path: Path) -> None:
    falling = optax.linear_schedule(1.5, 0.0, STEPS)
    _, made = make("mlp", optax.sgd(falling))
    train(tmp_path / "run", made, plan=replace(PLAN, rate=falling))
    rates = [record["learning_rate"] for record in runs.reopen(tmp_path / "run").metrics()]
    assert rates == pytest.approx([1.1, 0.6, 0.1])


def test_a_run_by_an_estimator_under_delays_goes_on_with_its_keys(tmp_path: Path) -> None:
    _, made = make("mlp", delays=Delays({"hidden.0": 2, "hidden.1": 1, "head": 0}), estimator=rad(0.1, "same"))
    whole = train(tmp_path / "whole", made)
    train(tmp_path / "parts", made, 7)  # the last checkpoint is of step 6
    parts = train(tmp_path / "parts", made)
    assert_same((parts.params, parts.opt_state), (whole.params, whole.opt_state))
    log = (tmp_path / "whole" / runs.METRICS).read_bytes()
    assert (tmp_path / "parts" / runs.METRICS).read_bytes() == log
    draws = [leaf for leaf in jax.tree.leaves(whole.rest) if leaf.dtype == jnp.uint32]
    assert [int(draw) for draw in draws] == [STEPS]


def test_a_log_line_without_its_checkpoint_is_written_again(tmp_path: Path) -> None:
    """The moment between the two: the line is there, the checkpoint that counts on it is not."""
    _, made = make("mlp")
    whole = train(tmp_path / "whole", made)
    train(tmp_path / "parts", made, 5)  # epoch 1 is logged; the last checkpoint is of step 4
    assert len(runs.reopen(tmp_path / "parts").metrics()) == 1
    assert_same(train(tmp_path / "parts", made), whole)
    assert (tmp_path / "parts" / runs.METRICS).read_bytes() == (tmp_path / "whole" / runs.METRICS).read_bytes()
