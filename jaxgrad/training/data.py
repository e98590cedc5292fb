"""Image data sets, and the order a training run sees them in.

``digits`` comes with scikit-learn; ``mnist`` and ``cifar10`` are read from a folder the user names, in the formats
their makers publish, byte by byte: nothing is unpickled or run.
"""

from __future__ import annotations

import gzip
import operator
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Int64, UInt8

from jaxgrad.base.errors import InputError, one_of, positive_integer

NAMES: tuple[str, ...] = ("digits", "mnist", "cifar10")
CLASSES = 10  # of each of the three

MNIST_HOME = "the MNIST page, http://yann.lecun.com/exdb/mnist, describes this IDX format"
CIFAR10_HOME = "the CIFAR-10 page, https://www.cs.toronto.edu/~kriz/cifar.html, describes this binary version"
_IMAGES_MAGIC = 2051  # IDX: unsigned bytes, three dimensions
_LABELS_MAGIC = 2049  # IDX: unsigned bytes, one dimension
_CIFAR10_RECORD = 1 + 3 * 32 * 32  # a label, then the red, green and blue planes
_CIFAR10_FOLDER = "cifar-10-batches-bin"
_CHUNK = 1 << 20


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


def load(name: str, folder: str | Path | None = None, *, standardised: bool = False) -> Dataset:
    """One of ``NAMES``, ready to train on.

    ======== ======== ============== =====================================================================
    name     image    train / test   pixel values
    ======== ======== ============== =====================================================================
    digits   8x8x1    1437 / 360     0 to 1. The empty background stays exactly zero, as the array's
                                     effectual MACs should see it
    mnist    28x28x1  60000 / 10000  0 to 1, likewise
    cifar10  32x32x3  50000 / 10000  0 to 1, then each channel standardised: less its mean over the
                                     training images, divided by its standard deviation there
    ======== ======== ============== =====================================================================

    Args:
        name: digits (the UCI optical digits that come with scikit-learn; a fixed split, stratified by class),
            mnist (the four IDX files, plain or .gz) or cifar10 (the six .bin files of the binary version).
        folder: where the files of mnist or cifar10 are; for cifar10 its ``cifar-10-batches-bin`` folder or the one
            above. Of the two formats any number of images is taken, so cut-down files work.
        standardised: then each pixel less its mean over the training images, divided by its standard deviation there
            (a constant one is 0); the background is no zero any more.

    Raises:
        ValueError: an unknown name, no folder or one too many, or a file that is missing or malformed.
    """
    dataset = _load(name, folder)
    return _standardised(dataset) if standardised else dataset


def _load(name: str, folder: str | Path | None) -> Dataset:
    one_of("data", name, NAMES)
    if name == "digits":
        if folder is not None:
            raise InputError("data folder", Path(folder), "digits comes with scikit-learn, leave the folder out")
        return _digits()
    if folder is None:
        raise InputError("data folder", None, f"name the folder that holds the {name} files")
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            "data folder",
            folder,
            f"name the one with the {name} files",
            problem=f"got {str(folder)!r}, which is no folder",
        )
    return _mnist(folder) if name == "mnist" else _cifar10(folder)


def order(count: int, seed: int, epoch: int) -> Int64[np.ndarray, " count"]:
    """The order of ``count`` images in one epoch: a permutation that depends on the arguments alone, so that a resumed
    run goes on as the interrupted one would have."""
    sequence = np.random.SeedSequence(_natural("seed", seed), spawn_key=(_natural("epoch", epoch),))
    return np.random.Generator(np.random.PCG64(sequence)).permutation(count)


def batches(
    dataset: Dataset, batch_size: int, seed: int, epoch: int, *, drop_last: bool = True
) -> Iterator[tuple[Float32[np.ndarray, "batch h w c"], Int32[np.ndarray, " batch"]]]:
    """The training images and labels of one epoch, in ``order(..., seed, epoch)``, by the batch.

    Args:
        dataset: what to train on.
        batch_size: images a batch, at most as many as there are training images.
        seed: of the run.
        epoch: from 0; each has its own order.
        drop_last: leave out the images that don't fill a last batch (others are left out in the next epoch), so that
            every batch has one shape and a jitted step compiles once. If False they come as a smaller last batch.

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
    return ((dataset.train_images[rows], dataset.train_labels[rows]) for rows in choices)


def _natural(field: str, value: int) -> int:
    number = operator.index(value)
    if number < 0:
        raise InputError(field, number, "give a whole number of at least 0")
    return number


def _digits() -> Dataset:
    # Imported here: scikit-learn takes a second to import, and the other sets do without it.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedShuffleSplit

    pixels, target = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    labels = target.astype(np.int32)
    train, test = next(StratifiedShuffleSplit(n_splits=1, test_size=360, random_state=0).split(images, labels))
    return Dataset(images[train], labels[train], images[test], labels[test], CLASSES, "digits")


def _mnist(folder: Path) -> Dataset:
    train_images, train_labels = _read_mnist_split(folder, "train")
    test_images, test_labels = _read_mnist_split(folder, "t10k")
    return Dataset(_unit(train_images), train_labels, _unit(test_images), test_labels, CLASSES, "mnist")


def _read_mnist_split(folder: Path, split: str) -> tuple[UInt8[np.ndarray, "n 28 28 1"], Int32[np.ndarray, " n"]]:
    images_path = _find_idx(folder / f"{split}-images-idx3-ubyte")
    labels_path = _find_idx(folder / f"{split}-labels-idx1-ubyte")
    images = _read_idx(images_path, _IMAGES_MAGIC, (28, 28))
    labels = _read_idx(labels_path, _LABELS_MAGIC, ())
    if len(images) != len(labels):
        raise InputError(
            str(labels_path),
            len(labels),
            MNIST_HOME,
            problem=f"expected {len(images)} labels, one for each image, found {len(labels)}",
        )
    _check_labels(labels_path, labels, MNIST_HOME)
    return images[..., np.newaxis], labels.astype(np.int32)


def _find_idx(path: Path) -> Path:
    """``path``, or where there is none, the same with ``.gz``."""
    zipped = path.with_name(path.name + ".gz")
    for candidate in (path, zipped):
        if candidate.is_file():
            return candidate
    raise InputError(str(path), None, MNIST_HOME, problem=f"missing, and so is {zipped.name}")


def _read_idx(path: Path, magic: int, item: tuple[int, ...]) -> UInt8[np.ndarray, "n ..."]:
    """The items of an IDX file of unsigned bytes, after checking its magic number, dimensions and length."""
    header = struct.Struct(f">{2 + len(item)}I")  # the magic number, then the dimensions, big-endian
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            head = _take(stream, header.size)
            if len(head) < header.size:
                raise InputError(
                    str(path),
                    len(head),
                    MNIST_HOME,
                    problem=f"expected a header of {header.size} bytes, found a file of {len(head)}",
                )
            file_magic, count, *file_item = header.unpack(head)
            if file_magic != magic:
                raise InputError(
                    str(path), file_magic, MNIST_HOME, problem=f"expected magic number {magic}, found {file_magic}"
                )
            if tuple(file_item) != item:
                raise InputError(
                    str(path),
                    tuple(file_item),
                    MNIST_HOME,
                    problem=f"expected images of {item}, found {tuple(file_item)}",
                )
            if count == 0:
                raise InputError(str(path), count, MNIST_HOME, problem="expected at least one item, found none")
            size = count * int(np.prod(item, dtype=int))
            body = _take(stream, size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(str(path), error, MNIST_HOME, problem=f"can't be read: {error}") from None
    if len(body) != size:
        length = len(body) if len(body) < size else "more"
        raise InputError(
            str(path),
            len(body),
            MNIST_HOME,
            problem=f"expected {size} bytes after the header ({count} items), found {length}",
        )
    return np.frombuffer(body, dtype=np.uint8).reshape(count, *item)


def _take(stream: IO[bytes] | gzip.GzipFile, limit: int) -> bytes:
    """Up to ``limit`` bytes, by the chunk: a header may promise terabytes, and one read would make room for them."""
    pieces = []
    while limit > 0 and (piece := stream.read(min(limit, _CHUNK))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _cifar10(folder: Path) -> Dataset:
    inner = folder / _CIFAR10_FOLDER
    folder = inner if inner.is_dir() else folder
    parts = [_read_cifar10(folder / f"data_batch_{number}.bin") for number in range(1, 6)]
    train_images = np.concatenate([images for images, _ in parts])
    train_labels = np.concatenate([labels for _, labels in parts])
    test_images, test_labels = _read_cifar10(folder / "test_batch.bin")
    mean, deviation = _channel_statistics(train_images)
    train, test = ((_unit(images) - mean) / deviation for images in (train_images, test_images))
    return Dataset(train, train_labels, test, test_labels, CLASSES, "cifar10")


def _read_cifar10(path: Path) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int32[np.ndarray, " n"]]:
    if not path.is_file():
        raise InputError(str(path), None, CIFAR10_HOME, problem="missing")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error, CIFAR10_HOME, problem=f"can't be read: {error}") from None
    if not content or len(content) % _CIFAR10_RECORD:
        raise InputError(
            str(path),
            len(content),
            CIFAR10_HOME,
            problem=(
                f"expected records of {_CIFAR10_RECORD} bytes (the published file: 10000 of them, "
                f"30730000 bytes), found {len(content)} bytes"
            ),
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _CIFAR10_RECORD)
    labels = records[:, 0]
    _check_labels(path, labels, CIFAR10_HOME)
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1), labels.astype(np.int32)


def _check_labels(path: Path, labels: UInt8[np.ndarray, " n"], home: str) -> None:
    wrong = np.flatnonzero(labels >= CLASSES)
    if wrong.size:
        raise InputError(
            str(path),
            labels[wrong[0]],
            home,
            problem=f"expected labels from 0 to {CLASSES - 1}, found {labels[wrong[0]]} at item {wrong[0]}",
        )


def _standardised(dataset: Dataset) -> Dataset:
    mean = dataset.train_images.mean(axis=0, dtype=np.float64)
    deviation = dataset.train_images.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1)
    train, test = (
        ((images - mean) / scale).astype(np.float32) for images in (dataset.train_images, dataset.test_images)
    )
    return dataset._replace(train_images=train, test_images=test)


def _unit(images: UInt8[np.ndarray, "n h w c"]) -> Float32[np.ndarray, "n h w c"]:
    return images.astype(np.float32) / np.float32(255)


def _channel_statistics(
    images: UInt8[np.ndarray, "n h w c"],
) -> tuple[Float32[np.ndarray, " c"], Float32[np.ndarray, " c"]]:
    """Mean and standard deviation of each channel in the range 0 to 1; a constant channel's deviation is given as 1."""
    # From a histogram: exact, and without a float copy of all the images.
    values = np.arange(256) / 255
    mean, deviation = [], []
    for channel in range(images.shape[-1]):
        share = np.bincount(images[..., channel].ravel(), minlength=256) / images[..., channel].size
        mean.append(share @ values)
        deviation.append(np.sqrt(share @ (values - mean[-1]) ** 2))
    scale = np.where(np.asarray(deviation) > 0, deviation, 1)
    return np.asarray(mean, np.float32), scale.astype(np.float32)
