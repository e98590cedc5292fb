"""Seeds at once against each one by the trainer of ``jaxgrad train``, and what is measured by its formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.dynamics import ensemble, points, schema
from jaxgrad.training.data import batches
from jaxgrad.training.job import prepare
from jaxgrad.training.loop import sums_over
from tests.studies.cases import write
from tests.studies.dynamics.cases import tree

SEEDS = [3, 0]


def point_of(tmp_path: Path, number: int, **dynamics: Any) -> points.Point:
    content = tree()
    content["dynamics"].update(dynamics)
    file = write(tmp_path, content)
    return points.expand(schema.load(file), file)[number]


def flat(params: Any) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])


def test_seeds_at_once_are_those_trained_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With momentum, over the end of an epoch of four batches: losses before each step, and the last weights.

    The four batches drawn without replacement are all images but one, and velocity is 0 at first: the mean of the first
    updates is the gradient's.
    """
    monkeypatch.setattr(ensemble, "_AT_ONCE", 500)  # all images in three pieces, the last one filled up
    point = point_of(tmp_path, 1, sampling="shuffled", batches=9)
    trained = ensemble.train(point.config, point.dataset, SEEDS, point.experiment.dynamics)
    measured, job, data = trained.measured, prepare(point.config), point.dataset
    for place, seed in enumerate(SEEDS):
        trainer = job.seeded(seed).trainer
        state, losses = trainer.initial, []
        for epoch, count in ((0, 4), (1, 2)):
            for images, labels in list(batches(data, 359, seed, epoch))[:count]:
                losses.append(sums_over(trainer, state, data.train_images, data.train_labels).means()[0])
                state = trainer.step(state, images, labels)
        losses.append(sums_over(trainer, state, data.train_images, data.train_labels).means()[0])
        np.testing.assert_allclose(measured.loss[place], losses, rtol=1e-5)
        own = flat(jax.tree.map(lambda leaf, place=place: leaf[place], trained.params))
        np.testing.assert_allclose(own, flat(state.params), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(measured.descent[:, 0], -0.5 * measured.gradient[:, 0] ** 2, rtol=0.02)
    assert (measured.moved[:, 0] == 0).all()
    assert (measured.moved[:, 1:] > 0).all()
    assert (measured.noise > 0).all()


def test_what_will_not_do_is_refused(tmp_path: Path) -> None:
    point = point_of(tmp_path, 0)
    section = point.experiment.dynamics
    data = point.config.data.model_copy(update={"batch_size": 719})
    with pytest.raises(InputError, match=r"data\.batch_size: got 719; digits has 1437 .* at most half of that"):
        ensemble.train(point.config.model_copy(update={"data": data}), point.dataset, [0], section)
    model = point.config.model.model_copy(update={"batch_norm": True})
    with pytest.raises(InputError, match="model: got 'mlp'; give one that keeps nothing but parameters"):
        ensemble.train(point.config.model_copy(update={"model": model}), point.dataset, [0], section)
