"""CIFAR-10 and CIFAR-100, in their binary version and in the one for Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt8

from jaxgrad.base.errors import InputError
from jaxgrad.training.data import pickles
from jaxgrad.training.data.dataset import Dataset
from jaxgrad.training.data.labels import check_labels
from jaxgrad.training.data.pixels import channel_statistics, unit

_PIXELS = 3 * 32 * 32  # the red, the green and the blue plane
_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"


class _Version(NamedTuple):
    """One of the forms in which a set is published.

    Args:
        title: as messages call it.
        folder: the one that its archive makes.
        train, test: its files.
    """

    title: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def at(self, folder: Path) -> Path | None:
        """Where it is: in the folder, or in the archive's own within it; None where no file of it is there."""
        for place in (folder / self.folder, folder):
            if any((place / name).is_file() for name in (*self.train, *self.test)):
                return place
        return None


@dataclass(frozen=True)
class Cifar:
    """One of the two sets.

    Args:
        name: as users write it.
        title: as its makers write it.
        classes: how many.
        heads: bytes before the pixels of a binary record, of which the last one is the label.
        labels: the key of the labels in a pickled file.
        binary, python: its two versions.
    """

    name: str
    title: str
    classes: int
    heads: int
    labels: bytes
    binary: _Version
    python: _Version

    @property
    def page(self) -> str:
        return f"the {self.title} page, {_PAGE}, describes this binary version"

    @property
    def python_page(self) -> str:
        return f"the {self.title} page, {_PAGE}, describes this Python version"

    @property
    def record(self) -> int:
        """Bytes of an image with its labels."""
        return self.heads + _PIXELS


SETS: dict[str, Cifar] = {
    one.name: one
    for one in (
        Cifar(
            "cifar10", "CIFAR-10", 10, 1, b"labels",
            _Version(
                "CIFAR-10's binary version", "cifar-10-batches-bin",
                tuple(f"data_batch_{number}.bin" for number in range(1, 6)), ("test_batch.bin",),
            ),
            _Version(
                "CIFAR-10's Python version", "cifar-10-batches-py",
                tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",),
            ),
        ),
        Cifar(
            "cifar100", "CIFAR-100", 100, 2, b"fine_labels",
            _Version("CIFAR-100's binary version", "cifar-100-binary", ("train.bin",), ("test.bin",)),
            _Version("CIFAR-100's Python version", "cifar-100-python", ("train",), ("test",)),
        ),
    )
}  # fmt: skip
_MATLAB = _Version("the Matlab version", "cifar-10-batches-mat", ("data_batch_1.mat", "train.mat"), ("test_batch.mat",))


def read(name: str, folder: Path) -> Dataset:
    """One of ``SETS``, each channel standardised: less its mean over the training images, divided by its standard
    deviation there.

    Args:
        name: of the set; of ``cifar100`` the 100 fine labels are read.
        folder: that of either version, or the one above; both have any number of images. The binary version wins.

    Raises:
        InputError: a file is missing or malformed; where another version or set lies there, the error says which.
    """
    cifar = SETS[name]
    readers = ((cifar.binary, _binary), (cifar.python, _pickled))
    for version, reader in readers:
        place = version.at(folder)
        if place is not None:
            parts = [[reader(place / file, cifar) for file in files] for files in (version.train, version.test)]
            break
    else:
        raise _absent(cifar, folder)
    (train_images, train_labels), (test_images, test_labels) = (
        tuple(np.concatenate(arrays) for arrays in zip(*part, strict=True)) for part in parts
    )
    mean, deviation = channel_statistics(train_images)
    train, test = ((unit(images) - mean) / deviation for images in (train_images, test_images))
    return Dataset(train, train_labels, test, test_labels, cifar.classes, name)


def _absent(cifar: Cifar, folder: Path) -> InputError:
    """No file of a set is in a folder: what is there, if it is of another one."""
    found = next((version.title for version in _others(cifar) if version.at(folder)), None)
    binary, python = cifar.binary, cifar.python
    remedy = f"give the folder of {cifar.title} in its binary version ({binary.folder}) or its Python version "
    remedy += f"({python.folder}), see {_PAGE}"
    if found is None:
        return InputError(str(folder / binary.train[0]), None, remedy, problem="missing")
    return InputError(str(folder), None, remedy, problem=f"found {found}")


def _others(cifar: Cifar) -> Iterator[_Version]:
    for other in SETS.values():
        if other is not cifar:
            yield from (other.binary, other.python)
    yield _MATLAB


def _binary(path: Path, cifar: Cifar) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int32[np.ndarray, " n"]]:
    content = _content(path, cifar.page)
    if not content or len(content) % cifar.record:
        problem = f"expected records of {cifar.record} bytes (an image and its labels), found {len(content)} bytes"
        raise InputError(str(path), len(content), cifar.page, problem=problem)
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, cifar.record)
    labels = records[:, cifar.heads - 1]
    check_labels(path, labels, cifar.classes, cifar.page)
    return _images(records[:, cifar.heads :]), labels.astype(np.int32)


def _pickled(path: Path, cifar: Cifar) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int32[np.ndarray, " n"]]:
    content = _content(path, cifar.python_page)
    try:
        batch = pickles.loads(content)
    except pickles.Refused as error:
        raise InputError(str(path), None, cifar.python_page, problem=f"can't be read: {error}") from None
    if not isinstance(batch, dict) or not {b"data", cifar.labels} <= set(batch):
        problem = f"expected a dictionary with 'data' and {cifar.labels.decode()!r}"
        raise InputError(str(path), None, cifar.python_page, problem=problem)
    data, labels = batch[b"data"], np.asarray(batch[cifar.labels])
    shape, dtype = getattr(data, "shape", None), getattr(data, "dtype", None)
    if dtype != np.uint8 or shape != (len(labels), _PIXELS) or not len(labels):
        problem = f"expected {len(labels) or 'some'} rows of {_PIXELS} bytes, one for each label, found {shape}"
        raise InputError(str(path), shape, cifar.python_page, problem=problem)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise InputError(str(path), None, cifar.python_page, problem="expected a list of labels, whole numbers from 0")
    check_labels(path, labels, cifar.classes, cifar.python_page)
    return _images(data), labels.astype(np.int32)


def _content(path: Path, page: str) -> bytes:
    if not path.is_file():
        raise InputError(str(path), None, page, problem="missing")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error, page, problem=f"can't be read: {error}") from None


def _images(planes: UInt8[np.ndarray, "n 3072"]) -> UInt8[np.ndarray, "n 32 32 3"]:
    return planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
