"""MNIST and what comes in its format: four IDX files of bytes, plain or gzipped."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Int32, UInt8

from jaxgrad.base.errors import InputError
from jaxgrad.training.data.dataset import Dataset
from jaxgrad.training.data.labels import check_labels
from jaxgrad.training.data.pixels import unit

PAGES = {
    "mnist": "the MNIST page, http://yann.lecun.com/exdb/mnist, describes this IDX format",
    "fashion-mnist": "the Fashion-MNIST page, https://github.com/zalandoresearch/fashion-mnist, describes it",
}
"""Data set -> where its format is described."""
_CLASSES = 10
_IMAGES_MAGIC = 2051  # unsigned bytes, three dimensions
_LABELS_MAGIC = 2049  # unsigned bytes, one dimension
_CHUNK = 1 << 20


def read(name: str, folder: Path) -> Dataset:
    """One of ``PAGES``, from the four files as they are published, of any number of images.

    Raises:
        InputError: a file is missing or malformed.
    """
    page = PAGES[name]
    train_images, train_labels = _split(folder, "train", page)
    test_images, test_labels = _split(folder, "t10k", page)
    return Dataset(unit(train_images), train_labels, unit(test_images), test_labels, _CLASSES, name)


def _split(folder: Path, split: str, page: str) -> tuple[UInt8[np.ndarray, "n 28 28 1"], Int32[np.ndarray, " n"]]:
    images_path = _found(folder / f"{split}-images-idx3-ubyte", page)
    labels_path = _found(folder / f"{split}-labels-idx1-ubyte", page)
    images = _items(images_path, _IMAGES_MAGIC, (28, 28), page)
    labels = _items(labels_path, _LABELS_MAGIC, (), page)
    if len(images) != len(labels):
        raise InputError(
            str(labels_path),
            len(labels),
            page,
            problem=f"expected {len(images)} labels, one for each image, found {len(labels)}",
        )
    check_labels(labels_path, labels, _CLASSES, page)
    return images[..., np.newaxis], labels.astype(np.int32)


def _found(path: Path, page: str) -> Path:
    """``path``, or where there is none, the same with ``.gz``."""
    zipped = path.with_name(path.name + ".gz")
    for candidate in (path, zipped):
        if candidate.is_file():
            return candidate
    raise InputError(str(path), None, page, problem=f"missing, and so is {zipped.name}")


def _items(path: Path, magic: int, item: tuple[int, ...], page: str) -> UInt8[np.ndarray, "n ..."]:
    """The items of an IDX file of unsigned bytes, after checking its magic number, dimensions and length."""
    header = struct.Struct(f">{2 + len(item)}I")  # the magic number, then the dimensions, big-endian
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            head = _take(stream, header.size)
            if len(head) < header.size:
                raise InputError(
                    str(path),
                    len(head),
                    page,
                    problem=f"expected a header of {header.size} bytes, found a file of {len(head)}",
                )
            file_magic, count, *file_item = header.unpack(head)
            if file_magic != magic:
                raise InputError(
                    str(path), file_magic, page, problem=f"expected magic number {magic}, found {file_magic}"
                )
            if tuple(file_item) != item:
                raise InputError(
                    str(path),
                    tuple(file_item),
                    page,
                    problem=f"expected images of {item}, found {tuple(file_item)}",
                )
            if count == 0:
                raise InputError(str(path), count, page, problem="expected at least one item, found none")
            size = count * int(np.prod(item, dtype=int))
            body = _take(stream, size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(str(path), error, page, problem=f"can't be read: {error}") from None
    if len(body) != size:
        length = len(body) if len(body) < size else "more"
        raise InputError(
            str(path),
            len(body),
            page,
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
