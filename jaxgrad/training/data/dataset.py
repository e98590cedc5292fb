"""Image data sets, ready to train on, and the order in which a run sees them."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Int64

from jaxgrad.base.errors import InputError, positive_integer
from jaxgrad.training.data import augmentation


class Dataset(NamedTuple):
    """Images in NHWC with one label each, split for training and test."""

    train_images: Float32[np.ndarray, "train h w c"]
    train_labels: Int32[np.ndarray, " train"]
    test_images: Float32[np.ndarray, "test h w c"]
    test_labels: Int32[np.ndarray, " test"]
    classes: int
    name: str

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image."""
        _, height, width, channels = self.train_images.shape
        return height, width, channels


def order(count: int, seed: int, epoch: int) -> Int64[np.ndarray, " count"]:
    """The order of ``count`` images in one epoch: a permutation that depends on the arguments alone, so that a resumed
    run goes on as the interrupted one would have."""
    sequence = np.random.SeedSequence(_natural("seed", seed), spawn_key=(_natural("epoch", epoch),))
    return np.random.Generator(np.random.PCG64(sequence)).permutation(count)


def batches(
    dataset: Dataset,
    batch_size: int,
    seed: int,
    epoch: int,
    *,
    drop_last: bool = True,
    augment: Sequence[str] = (),
) -> Iterator[tuple[Float32[np.ndarray, "batch h w c"], Int32[np.ndarray, " batch"]]]:
    """The training images and labels of one epoch, in ``order(..., seed, epoch)``, by the batch.

    Args:
        dataset: what to train on.
        batch_size: images a batch, at most as many as there are training images.
        seed: of the run.
        epoch: from 0; each has its own order.
        drop_last: leave out the images that don't fill a last batch (others are left out in the next epoch), so that
            every batch has one shape and a jitted step compiles once. If False they come as a smaller last batch.
        augment: what becomes of each image, some of ``augmentation.NAMES``.

    Raises:
        ValueError: a batch size below 1 or above the number of training images, a negative seed or epoch. At the
            call, not at the first batch.
    """
    count = len(dataset.train_labels)
    size = positive_integer("batch_size", batch_size)
    if size > count:
        raise InputError("batch_size", size, f"{dataset.name} has {count} training images, give at most that")
    permutation = order(count, seed, epoch)
    stop = count - count % size if drop_last else count
    choices = (permutation[start : start + size] for start in range(0, stop, size))
    draws = augmentation.drawn(augment, dataset.train_images.shape, seed, epoch)
    return (
        (augmentation.applied(dataset.train_images[rows], draws.of(rows)), dataset.train_labels[rows])
        for rows in choices
    )


def _natural(field: str, value: int) -> int:
    number = operator.index(value)
    if number < 0:
        raise InputError(field, number, "give a whole number of at least 0")
    return number
