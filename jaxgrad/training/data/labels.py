"""Labels: of files, checked and dealt to a training and a test part; and random ones in the place of some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from jaxgrad.base.errors import InputError
from jaxgrad.training.data.dataset import Dataset

TEST_SHARE = 0.2
"""Of the images of a data set that has no test part of its own."""


def check_labels(path: Path, labels: UInt8[np.ndarray, " n"], classes: int, page: str) -> None:
    """Refuses a file's labels that stand for no class; ``page`` says where its format is described."""
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        raise InputError(
            str(path),
            labels[wrong[0]],
            page,
            problem=f"expected labels from 0 to {classes - 1}, found {labels[wrong[0]]} at item {wrong[0]}",
        )


def noisy(dataset: Dataset, share: float) -> Dataset:
    """The same with random labels: of a share of the training labels, rounded to whole ones, each is drawn anew from
    all classes, and so may be what it was. They are always the same ones; test labels stay.

    Args:
        dataset: whose labels are of any shape.
        share: from 0 to 1.
    """
    generator = np.random.Generator(np.random.PCG64(0))
    labels = dataset.train_labels.copy()
    chosen = generator.permutation(labels.size)[: round(share * labels.size)]
    labels.flat[chosen] = generator.integers(0, dataset.classes, len(chosen), labels.dtype)
    return dataset._replace(train_labels=labels)


def dealt(labels: Int[np.ndarray, " n"], origin: str) -> tuple[np.ndarray, np.ndarray]:
    """Which images train and which test, where nothing says so: a fifth of each class tests, always the same ones.

    >>> [part.tolist() for part in dealt(np.array([0, 0, 0, 0, 0, 1, 1, 2]), "data")]
    [[0, 1, 3, 4, 5, 7], [2, 6]]

    Args:
        labels: of all images.
        origin: what errors name.

    Raises:
        InputError: no class has two images.
    """
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(labels))
    tests = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        tests[members[: max(round(len(members) * TEST_SHARE), int(len(members) > 1))]] = True
    if not tests.any():
        problem = f"got {len(labels)} images, one of each class, and none to test"
        raise InputError(origin, len(labels), "give a test part, or more images of each class", problem=problem)
    return np.flatnonzero(~tests), np.flatnonzero(tests)
