"""Data sets, ready to train on, and the order in which a run sees them."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jax import Array
from jaxtyping import Int32, Int64, Shaped

from jaxgrad.base.errors import InputError, positive_integer
from jaxgrad.training.data import augmentation


class Dataset(NamedTuple):
    """Examples with their labels, split for training and test.

    Args:
        train_images, test_images: as float32 images in NHWC; or windows of a text, as int32 tokens. An example is a row
            of the first axis.
        train_labels, test_labels: one an image, or one a token.
        classes: labels are from 0 to below this.
        name: of the data set.
        examples: what an example is called, in the plural.
        least_loss: mean loss of the test labels, in nats, under the best prediction that there is; None where nobody
            knows it.
    """

    train_images: Shaped[np.ndarray, "train *input"]
    train_labels: Int32[np.ndarray, "train *inner"]
    test_images: Shaped[np.ndarray, "test *input"]
    test_labels: Int32[np.ndarray, "test *inner"]
    classes: int
    name: str
    examples: str = "images"
    least_loss: float | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example: (height, width, channels) of an image, (tokens,) of a text."""
        return self.train_images.shape[1:]

    @property
    def digest(self) -> str:
        """A hash of all examples and labels."""
        hasher = hashlib.sha256()
        for part in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            hasher.update(repr((part.shape, part.dtype.str)).encode())
            hasher.update(part.tobytes())
        return hasher.hexdigest()[:16]


def order(count: int, seed: int, epoch: int) -> Int64[np.ndarray, " count"]:
    """The order of ``count`` examples in one epoch: a permutation that depends on the arguments alone, so that a
    resumed run goes on as the interrupted one would have."""
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
) -> Iterator[tuple[Shaped[np.ndarray | Array, "batch *input"], Int32[np.ndarray, "batch *inner"]]]:
    """The training examples and labels of one epoch, in ``order(..., seed, epoch)``, by the batch.

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
        raise InputError(
            "batch_size", size, f"{dataset.name} has {count} training {dataset.examples}, give at most that"
        )
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
