"""One measurement of a run against the same numbers taken by hand, and training as it is without."""

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
from jax.flatten_util import ravel_pytree

import jaxgrad_models
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.estimators import EXACT, Estimator, rad
from jaxgrad.base.errors import InputError
from jaxgrad.flax import Rule, put_on_array
from jaxgrad.hardware import Accelerator
from jaxgrad.quantization import quantized
from jaxgrad.training import loop, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.data import Dataset, batches
from jaxgrad.training.delays import Delays
from jaxgrad.training.diagnostics import Meter, Records, recorded
from jaxgrad.training.loop import Plan
from jaxgrad.training.step import State, Trainer, trainer

PLAN = Plan(batch_size=8, epochs=2, seed=1, checkpoint_every=4)
COUNT, PER_EPOCH = 34, 4
RATE = 0.1
MEASURED_OF_A_STEP = {
    "update_curvature", "update_size", "descent", "rise", "balance", "expected_change", "measured_change",
}  # fmt: skip


def dataset() -> Dataset:
    generator = np.random.default_rng(0)
    images = generator.random((COUNT, 4, 4, 1), np.float32)
    labels = generator.integers(0, 3, COUNT).astype(np.int32)
    return Dataset(images, labels, images[:6], labels[:6], 3, "noise")


def make(
    optimizer: optax.GradientTransformation | None = None,
    delays: Delays | None = None,
    estimator: Estimator = EXACT,
    **options: Any,
) -> Trainer:
    rngs = nnx.Rngs(0)
    model = jaxgrad_models.build("mlp", input_shape=(4, 4, 1), classes=3, rngs=rngs, hidden=[5], **options)
    model = put_on_array(model, [Rule("*", Emulation(Accelerator(4, 3)), estimator)], rngs=nnx.Rngs(estimator=0))
    data = dataset()
    return trainer(model, optimizer or optax.sgd(RATE), data.train_images[:8], data.train_labels[:8], delays)


@pytest.fixture(scope="module")
def plain() -> Trainer:
    return make()


def fitted(made: Trainer, folder: Path, meter: Meter | None, stop_after: int | None = None) -> State:
    """Starts or goes on with the run in ``folder``, and gives up after some steps as a killed process would."""
    run = runs.reopen(folder) if folder.exists() else runs.create(folder, "")
    with Checkpoints(run.checkpoints) as checkpoints:
        state = loop.resume(made, run, checkpoints)
        training = loop.fit(made, state, dataset(), PLAN, run, checkpoints)
        if meter is not None:
            training = recorded(training, state, meter, Records(folder), 2, run.checkpoints)
        for count, now in enumerate(training, start=1):
            state = now.state
            if count == stop_after:
                break
    return state


def loss_of(made: Trainer, rows: np.ndarray) -> Any:
    """Of some examples, as a function of the flat parameters."""
    data, initial = dataset(), made.initial
    _, unravel = ravel_pytree(initial.params)
    images, labels = jnp.asarray(data.train_images[rows]), jnp.asarray(data.train_labels[rows])
    return lambda flat: made.loss(unravel(flat), (initial.rest, images, labels))


def test_a_measurement_of_plain_sgd_is_what_its_definitions_say(plain: Trainer) -> None:
    record, memory = Meter(plain, dataset(), PLAN, COUNT).measure(plain.initial, None, sharp=True)
    flat, _ = ravel_pytree(plain.initial.params)
    images, labels = next(batches(dataset(), 8, PLAN.seed, 0))
    rows = np.array([int(np.flatnonzero((dataset().train_images == image).all(axis=(1, 2, 3)))[0]) for image in images])
    np.testing.assert_array_equal(dataset().train_labels[rows], labels)
    update = -RATE * np.asarray(jax.grad(loss_of(plain, rows))(flat))
    # The sample is all of the images but two; its gradient is in the memory.
    gradient = np.concatenate([np.ravel(leaf) for leaf in memory.gradient])
    full = np.asarray(jax.grad(loss_of(plain, np.arange(COUNT)))(flat))
    np.testing.assert_allclose(gradient, full, atol=0.3 * np.abs(full).max())
    assert record["gradient_l2"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert record["gradient_l1"] == pytest.approx(np.abs(gradient).sum(), rel=1e-5)
    assert record["gradient_linf"] == pytest.approx(np.abs(gradient).max(), rel=1e-5)
    assert 0.9 * record["gradient_l2"] ** 2 < record["gradient_squared"] < record["gradient_l2"] ** 2
    assert record["mean_square"] == pytest.approx(record["gradient_squared"] + record["noise"], rel=1e-5)
    assert record["update_size"] == pytest.approx(np.linalg.norm(update), rel=1e-4)
    assert record["measured_change"] == pytest.approx(record["expected_change"], rel=0.05)
    # Of plain SGD the descent of a mean step is that of its definition.
    assert record["descent"] == pytest.approx(-RATE * record["gradient_squared"], rel=1e-3)
    assert record["balance"] == pytest.approx(-record["rise"] / record["descent"], rel=1e-5)
    assert record["rise"] == pytest.approx(record["update_curvature"] * record["update_size"] ** 2 / 2, rel=1e-4)
    assert record["sharpness"] >= 0.95 * max(record["gradient_curvature"], record["update_curvature"])
    assert record["distance_from_start"] == 0
    assert record["distance_from_last"] is None
    assert record["weights_squared"] == pytest.approx(float(flat @ flat), rel=1e-5)


def test_a_measurement_compares_with_the_one_before(plain: Trainer) -> None:
    meter = Meter(plain, dataset(), PLAN)
    _, memory = meter.measure(plain.initial, None, sharp=False)
    images, labels = next(batches(dataset(), 8, PLAN.seed, 0))
    state = plain.step(plain.initial, images, labels)
    record, after = meter.measure(state, memory, sharp=False)
    for name, parts in zip(("distance_from_last", "gradient_change"), zip(memory, after, strict=True), strict=True):
        one, other = (np.concatenate([np.ravel(leaf) for leaf in part]) for part in parts)
        assert record[name] == pytest.approx(np.linalg.norm(one - other), rel=1e-4)
    assert record["distance_from_start"] == pytest.approx(record["distance_from_last"])
    assert record["sharpness"] is record["gradient_curvature"] is None
    assert meter.measure(state, memory, steps=False, sharp=False)[0] == {
        **record,
        **dict.fromkeys(name for name in record if name in MEASURED_OF_A_STEP),
    }


def test_training_is_bit_equal_with_and_without_and_lines_are_wherever_it_was_killed(
    plain: Trainer, tmp_path: Path
) -> None:
    meter = Meter(plain, dataset(), PLAN)
    without, whole = fitted(plain, tmp_path / "without", None), fitted(plain, tmp_path / "whole", meter)
    for one, other in zip(jax.tree.leaves(without), jax.tree.leaves(whole), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    lines = Records(tmp_path / "whole").lines()
    assert [line["step"] for line in lines] == [0, 2, 4, 6, 8]
    assert [line["update_size"] is None for line in lines] == [False, True, False, True, True]  # after 8 none follows
    assert lines[-1]["cycles"] == whole.cycles()
    for stop in (3, 4, 7):  # before the first checkpoint, at it, and after
        folder = tmp_path / f"killed-{stop}"
        fitted(plain, folder, meter, stop)
        state = fitted(plain, folder, meter)
        assert (folder / "diagnostics.jsonl").read_bytes() == (tmp_path / "whole" / "diagnostics.jsonl").read_bytes()
        assert state.cycles() == whole.cycles()
    # Of the memories only those stay from which a run may go on.
    assert {path.stem for path in (tmp_path / "whole" / "diagnostics").iterdir()} == {"2", "4", "6", "8"}


@pytest.mark.parametrize(
    ("made", "exact"),
    [
        (lambda: make(optax.adam(0.01)), True),
        (lambda: make(optax.sgd(0.05, momentum=0.9), batch_norm=True), True),
        (lambda: make(estimator=rad(0.5, "same")), False),
        (lambda: make(estimator=quantized(4, 4)), False),
        (lambda: make(delays=Delays({"hidden.0": 2, "head": 0}, "ema")), False),
    ],
    ids=["adam", "momentum and batch norm", "rad", "few bits", "delays"],
)
def test_each_way_to_train_is_measured_and_stays_as_it_is(made: Any, exact: bool) -> None:
    """The step taken is that of training; the state, its versions among it, goes on as it was."""
    made = made()
    state = replace(made.initial, versions=jax.tree.map(jnp.copy, made.initial.versions))
    record, _ = Meter(made, dataset(), PLAN, exact=exact).measure(state, None, sharp=False)
    images, labels = next(batches(dataset(), 8, PLAN.seed, 0))
    after = made.step(state, images, labels)
    change = ravel_pytree(after.params)[0] - ravel_pytree(made.initial.params)[0]
    assert record["update_size"] == pytest.approx(float(jnp.linalg.norm(change)), rel=1e-4)
    assert all(np.isfinite(value) for name, value in record.items() if isinstance(value, float))
    assert record["noise"] > 0
    if not exact:  # along the step that is taken
        assert abs(record["descent"]) <= record["gradient_l2"] * record["update_size"] * 1.001


def test_noise_of_one_batch_is_refused(plain: Trainer) -> None:
    with pytest.raises(InputError, match="batch_size: got 30; noise is of two batches"):
        Meter(plain, dataset(), replace(PLAN, batch_size=30))
