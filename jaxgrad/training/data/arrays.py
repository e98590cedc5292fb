"""Data sets from arrays that are there: checked, and made into what training takes."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.base.errors import InputError
from jaxgrad.training.data.dataset import Dataset
from jaxgrad.training.data.labels import dealt

TRAIN, TEST = ("x_train", "y_train"), ("x_test", "y_test")
_ALIASES = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
    "x": "x_train",
    "y": "y_train",
}
"""Names that others write: those of Keras stay."""
_KEYS = "x_train and y_train, and x_test and y_test if there is a test part"


def read_npz(path: Path) -> Dataset:
    """A NumPy archive with ``x_train`` and ``y_train``, as Keras publishes them, or ``train_images`` and
    ``train_labels``; see ``of_arrays``.

    Raises:
        InputError: it can't be read, or its arrays will not do.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        archive = np.load(path, allow_pickle=False)
        names = list(getattr(archive, "files", ()))  # a single array has none
        for name in names:
            if _ALIASES.get(name, name) in (*TRAIN, *TEST):
                arrays[name] = archive[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(str(path), None, "give an .npz archive", problem=f"can't be read: {error}") from None
    return of_arrays(arrays, str(path), path.stem, there=names)


def of_arrays(arrays: Mapping[str, Any], origin: str, name: str, *, there: Any = None) -> Dataset:
    """A data set from arrays by name.

    Images are (n, height, width) or (n, height, width, channels). Bytes become floats from 0 to 1, other numbers stay
    as they are. Labels are whole numbers from 0, (n,) or (n, 1). Without a test part a fifth of each class is one.

    Args:
        arrays: ``x_train``, ``y_train``, ``x_test``, ``y_test``, or ``train_images`` and so on.
        origin: what errors name.
        name: of the data set.
        there: the names that errors list; those of ``arrays`` by default.

    Raises:
        InputError: one is missing, or they do not go together.
    """
    named = {_ALIASES.get(key, key): value for key, value in arrays.items()}
    if not set(TRAIN) <= set(named):
        listed = ", ".join(map(str, arrays if there is None else there)) or "nothing"
        raise InputError(origin, None, f"give {_KEYS}", problem=f"found {listed}")
    half = [key for key in TEST if key in named]
    if len(half) == 1:
        raise InputError(origin, None, "give both x_test and y_test, or neither", problem=f"found {half[0]} alone")
    images, labels = _part(named, TRAIN, origin)
    if half:
        test_images, test_labels = _part(named, TEST, origin)
        if test_images.shape[1:] != images.shape[1:]:
            problem = f"got images of {images.shape[1:]} to train and of {test_images.shape[1:]} to test"
            raise InputError(origin, test_images.shape, "give images of one shape", problem=problem)
    else:
        train, test = dealt(labels, origin)
        images, labels, test_images, test_labels = images[train], labels[train], images[test], labels[test]
    classes = int(max(labels.max(), test_labels.max())) + 1
    return Dataset(images, labels, test_images, test_labels, classes, name)


def _part(named: Mapping[str, Any], keys: tuple[str, str], origin: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as floats in NHWC, and their labels."""
    images, labels = (np.asarray(named[key]) for key in keys)
    if images.dtype.kind not in "uif" or images.ndim not in (3, 4) or 0 in images.shape:
        problem = f"got {images.dtype} of shape {images.shape} for {keys[0]}"
        raise InputError(origin, images.shape, "give numbers, (n, height, width, channels)", problem=problem)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "ui" or labels.shape != images.shape[:1] or labels.min() < 0:
        problem = f"got {labels.dtype} of shape {labels.shape} for {keys[1]}, with {len(images)} images"
        raise InputError(origin, labels.shape, "give whole numbers from 0, one for each image", problem=problem)
    scale = np.float32(255) if images.dtype == np.uint8 else np.float32(1)
    images = images.astype(np.float32) / scale
    return images if images.ndim == 4 else images[..., np.newaxis], labels.astype(np.int32)
