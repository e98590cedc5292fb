"""Augmentation: random crops and flips of the training images, drawn anew each epoch.

What an image becomes depends on (seed, epoch, image) alone: not on the batch that it is in, nor on where a run was
interrupted, nor on how many devices share the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

from jaxgrad.base.errors import InputError, choose

CROP, FLIP = "crop", "flip"
NAMES: tuple[str, ...] = (CROP, FLIP)
_AT_ONCE = 32  # images whose copies stay in a core's cache: up to four times as fast as a whole batch at once
_PADDED = 8  # a side in so many pixels of it: 4 of 32, as is usual on CIFAR


class Draws(NamedTuple):
    """What becomes of each training image in one epoch; None for what is not asked for.

    Args:
        corners: from where in the padded image the crop is, down and right.
        flips: whether it is mirrored, left and right.
    """

    corners: Int64[np.ndarray, "n 2"] | None
    flips: Bool[np.ndarray, " n"] | None

    def of(self, rows: Int64[np.ndarray, " batch"]) -> Draws:
        """Those of some images."""
        return Draws(*(None if drawn is None else drawn[rows] for drawn in self))


def check(field: str, value: Any) -> list[str]:
    """The augmentations that a text (``crop,flip``) or a list names, in the order of ``NAMES``.

    Raises:
        InputError: it names none, one twice, or one that is not there.

    >>> check("augment", "flip,crop")
    ['crop', 'flip']
    """
    names = value.split(",") if isinstance(value, str) else value
    remedy = "give crop, flip or crop,flip"
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(field, value, remedy)
    for name in names:
        if name not in NAMES:
            raise InputError(field, value, choose(NAMES, name))
    if len(set(names)) < len(names):
        raise InputError(field, value, remedy)
    return sorted(names, key=NAMES.index)


def padding(side: int) -> int:
    """Pixels that a crop may lie beyond an image's edge, of a side of so many.

    >>> [padding(side) for side in (8, 28, 32)]
    [1, 4, 4]
    """
    return max(1, round(side / _PADDED))


def drawn(names: Sequence[str], shape: tuple[int, ...], seed: int, epoch: int) -> Draws:
    """The draws for all training images; those of one kind are the same whatever else is asked for.

    Args:
        names: some of ``NAMES``.
        shape: of the images, (n, height, width, channels).
        seed: of the run.
        epoch: from 0.
    """

    def generator(name: str) -> np.random.Generator:
        # The order of the images has the key (epoch,).
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(epoch, NAMES.index(name) + 1)))
        )

    count, *sides = shape[:3]
    ends = [2 * padding(side) + 1 for side in sides]
    return Draws(
        generator(CROP).integers(0, ends, (count, 2)) if CROP in names else None,
        generator(FLIP).random(count) < 0.5 if FLIP in names else None,
    )


def applied(images: Float32[np.ndarray, "b h w c"], draws: Draws) -> Float32[np.ndarray, "b h w c"]:
    """Images cropped and flipped as drawn for each: a crop of the image padded with zeros, of the image's own size.

    Zero is black, or the mean where pixels are standardised.
    """
    if draws.corners is None and draws.flips is None:
        return images
    made = np.empty(images.shape, images.dtype)
    for start in range(0, len(images), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        part, corners, flips = images[some], draws.corners, draws.flips
        if corners is not None:
            part = _cropped(part, corners[some])
        made[some] = part if flips is None else _flipped(part, flips[some])
    return made


def _cropped(images: np.ndarray, corners: np.ndarray) -> np.ndarray:
    count, height, width, channels = images.shape
    down, right = padding(height), padding(width)
    padded = np.zeros((count, height + 2 * down, width + 2 * right, channels), images.dtype)
    padded[:, down : down + height, right : right + width] = images
    # A window is a row of the crop, which is copied as a whole.
    flat = padded.reshape(count, height + 2 * down, -1)
    windows = np.lib.stride_tricks.sliding_window_view(flat, width * channels, axis=2)[:, :, ::channels]
    rows = corners[:, :1] + np.arange(height)
    crops = windows[np.arange(count)[:, None], rows, corners[:, 1:]]
    return crops.reshape(images.shape)


def _flipped(images: np.ndarray, flips: np.ndarray) -> np.ndarray:
    count, height, width, channels = images.shape
    rows = images.reshape(count, height, -1).copy()
    # An index within a row: three times as fast as copying from a view of reversed columns.
    mirrored = np.arange(width * channels).reshape(width, channels)[::-1].ravel()
    rows[flips] = np.take(rows[flips], mirrored, axis=2)
    return rows.reshape(images.shape)
