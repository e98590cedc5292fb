"""A paper's network takes a step on a few images of CIFAR-10's size."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training import data
from jaxgrad.training.config import Override, resolve
from jaxgrad.training.job import prepare


@pytest.fixture
def images(tmp_path: Path) -> str:
    """Four images of 32x32x3, each of a class of its own."""
    file = tmp_path / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    np.savez(file, x_train=pixels, y_train=np.arange(4), x_test=pixels[:2], y_test=np.arange(2))
    return str(file)


def overrides(images: str, model: str) -> list[Override]:
    values = {"model.name": model, "data.name": images, "data.batch_size": 2}
    return [Override(key, value, f"--set {key}") for key, value in values.items()]


def test_a_network_of_a_paper_takes_a_step(images: str) -> None:
    job = prepare(resolve(None, overrides(images, "convnet")))
    batch = next(data.batches(job.dataset, 2, 0, 0))
    after = job.trainer.step(job.trainer.initial, *batch)
    changed = jax.tree.map(lambda old, new: bool((old != new).any()), job.trainer.initial.params, after.params)
    assert all(jax.tree.leaves(changed))
    assert np.isfinite(float(after.sums.loss))
    assert after.cycles() > 0


def test_what_takes_no_small_images_says_so(images: str) -> None:
    with pytest.raises(InputError) as refused:
        prepare(resolve(None, overrides(images, "inception-v4")))
    assert str(refused.value) == (
        "model.name: got 'inception-v4' for images of 32x32x3; inception-v4 needs height and width of at least 75"
    )
