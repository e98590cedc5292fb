"""The UCI optical digits that come with scikit-learn."""

from __future__ import annotations

import numpy as np

from jaxgrad.training.data.dataset import Dataset


def digits() -> Dataset:
    """1,437 training and 360 test images of 8x8 pixels, 0 to 1; a fixed split, stratified by class."""
    # Imported here: scikit-learn takes a second to import, and the other sets do without it.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedShuffleSplit

    pixels, target = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    labels = np.asarray(target, np.int32)
    train, test = next(StratifiedShuffleSplit(n_splits=1, test_size=360, random_state=0).split(images, labels))
    return Dataset(images[train], labels[train], images[test], labels[test], 10, "digits")
