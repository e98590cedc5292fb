"""A job: what a run will take at register fidelity, summed over its steps and evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxgrad.array.counting import count, count_forward
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.pace import register_seconds
from jaxgrad.base.errors import InputError
from jaxgrad.training import loop
from jaxgrad.training.config import Override, resolve
from jaxgrad.training.data import batches
from jaxgrad.training.job import prepare, train_whole


def test_what_a_run_takes_is_of_the_steps_that_are_left_and_their_evaluations() -> None:
    settings = {"model.name": "mlp", "data.batch_size": 90, "train.epochs": 3, "array.rows": 5}
    job = prepare(resolve(overrides=[Override(key, value, key) for key, value in settings.items()]))
    array = job.emulation.array
    forward = backward = 0
    for layer in job.layers:  # of one GEMM each
        gemm = Gemm(90, layer.gemm.in_features, layer.gemm.out_features)
        schedule = "interleaved" if layer.needs_dx else "os"
        forward += count_forward(gemm, array).as_dict()["cycles"]
        backward += count(gemm, array, schedule).as_dict()["cycles"]
    per_epoch = 1437 // 90
    # 360 test images are four batches.
    for done, steps, evaluations in ((0, 3 * per_epoch, 3), (per_epoch, 2 * per_epoch, 2), (3 * per_epoch - 1, 1, 1)):
        cycles = steps * (forward + backward) + evaluations * 4 * forward
        assert job.register_seconds(done) == pytest.approx(register_seconds(cycles, array))
    assert job.register_seconds(3 * per_epoch) == 0


def test_a_training_that_diverges_within_an_experiment_is_bad_input(tmp_path: Path) -> None:
    settings = {"model.name": "mlp", "data.batch_size": 400, "optimizer.name": "sgd", "optimizer.learning_rate": 1e30}
    config = resolve(overrides=[Override(key, value, key) for key, value in settings.items()])
    with pytest.raises(InputError, match=r"^training: the loss is (nan|inf) in epoch 1 of 20, at step 2$"):
        train_whole(config, tmp_path)


def test_another_seed_begins_as_a_run_of_that_seed_does() -> None:
    settings = {
        "model.name": "mlp", "model.hidden": [4], "model.batch_norm": True, "data.batch_size": 400,
        "data.standardised": True, "pipeline.name": "layerpipe", "pipeline.processors": 2, "pipeline.weights": "ema",
    }  # fmt: skip
    one, other = (
        prepare(
            resolve(overrides=[Override(key, value, key) for key, value in {**settings, "train.seed": seed}.items()])
        )
        for seed in (3, 5)
    )
    seeded = one.seeded(5)
    assert (seeded.config, seeded.plan) == (other.config, other.plan)
    assert callable(one.plan.rate)
    assert [float(np.asarray(one.plan.rate(step))) for step in (0, 20 * 3)] == pytest.approx(
        [0.003, 0]
    )  # 3 steps an epoch
    same = jax.tree.map(lambda one, other: bool((one == other).all()), seeded.trainer.initial, other.trainer.initial)
    assert all(jax.tree.leaves(same))
    weights: Any = [job.trainer.initial.params["head"]["kernel"] for job in (one, seeded)]
    assert not np.array_equal(*(kernel[...] for kernel in weights))
    assert seeded.trainer.step is one.trainer.step
    assert abs(one.dataset.train_images.mean()) < 1e-6


def test_a_language_model_comes_near_the_entropy_of_its_text() -> None:
    """What the characters' frequencies alone give is 2.4 nats, and what the one before tells 1.2."""
    settings = {
        "model.name": "transformer-lm", "model.width": 32, "model.depth": 1, "model.heads": 2, "data.name": "text",
        "data.window": 16, "optimizer.learning_rate": 0.006, "train.epochs": 1,
    }  # fmt: skip
    job = prepare(resolve(overrides=[Override(key, value, key) for key, value in settings.items()]))
    state = job.trainer.initial
    for tokens, labels in batches(job.dataset, 32, 0, 0):
        state = job.trainer.step(state, tokens, labels)
    least, (loss, accuracy) = job.dataset.least_loss or 0, loop.evaluated(job.trainer, state, job.dataset).means()
    assert least < loss < 1.08 * least
    assert accuracy > 0.65
    assert int(state.sums.images) == 256 * 32 * 16
