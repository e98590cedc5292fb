"""Random labels in the place of some."""

from __future__ import annotations

import numpy as np
import pytest

from jaxgrad.training.data import load
from jaxgrad.training.data.dataset import Dataset
from jaxgrad.training.data.labels import noisy


def test_a_share_of_the_training_labels_is_drawn_anew_always_the_same_way() -> None:
    clean, once, twice = load("digits"), load("digits", label_noise=0.2), load("digits", label_noise=0.2)
    differ = once.train_labels != clean.train_labels
    # A tenth of the 287 drawn ones come out as they were: 28.7 of them, 5.1 more or less.
    assert 287 - 28.7 - 3 * 5.1 < differ.sum() < 287 - 28.7 + 3 * 5.1
    np.testing.assert_array_equal(once.train_labels, twice.train_labels)
    np.testing.assert_array_equal(once.test_labels, clean.test_labels)
    np.testing.assert_array_equal(once.train_images, clean.train_images)
    drawn = np.bincount(once.train_labels[differ], minlength=10)
    assert drawn.min() > 10  # of all classes


@pytest.mark.parametrize(("share", "most"), [(0.1, 2), (1.0, 20)])
def test_labels_of_any_shape(share: float, most: int) -> None:
    labels = np.full((10, 2), 70, np.int32)
    examples = np.zeros((10, 3), np.int32)
    dataset = Dataset(examples, labels, examples, labels, 1000, "wide")
    changed = noisy(dataset, share)
    assert (changed.train_labels != 70).sum() == most  # of a thousand classes, none is drawn twice here
    assert changed.train_labels.dtype == np.int32
    assert (labels == 70).all()
