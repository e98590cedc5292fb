"""Augmentation: random crops and flips of the training images, drawn anew each epoch.

What an image becomes depends on (seed, epoch, image) alone: not on the batch that it is in, nor on where a run was
interrupted, nor on how many devices share the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int, Int32

from jaxgrad.base.errors import InputError, choose

CROP, FLIP = "crop", "flip"
NAMES: tuple[str, ...] = (CROP, FLIP)
_PADDED = 8  # a side in so many pixels of it: 4 of 32, as is usual on CIFAR


class Draws(NamedTuple):
    """What becomes of each training image in one epoch; None for what is not asked for.

    Args:
        corners: from where in the padded image the crop is, down and right.
        flips: whether it is mirrored, left and right.
    """

    corners: Int32[np.ndarray, "n 2"] | None
    flips: Bool[np.ndarray, " n"] | None

    def of(self, rows: Int[np.ndarray, " batch"]) -> Draws:
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
        generator(CROP).integers(0, ends, (count, 2)).astype(np.int32) if CROP in names else None,
        generator(FLIP).random(count) < 0.5 if FLIP in names else None,
    )


def applied(images: Float32[np.ndarray, "b h w c"], draws: Draws) -> Float32[np.ndarray | Array, "b h w c"]:
    """Images cropped and flipped as drawn for each: a crop of the image padded with zeros, of the image's own size.

    Zero is black, or the mean where pixels are standardised. They are on JAX's default device, where the pixels move: a
    GPU trains on more images in a second than a core of its host crops.
    """
    return images if draws.corners is None and draws.flips is None else _applied(images, draws)


@jax.jit
def _applied(images: Float32[Array, "b h w c"], draws: Draws) -> Float32[Array, "b h w c"]:
    if draws.corners is not None:
        down, right = map(padding, images.shape[1:3])
        padded = jnp.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
        images = jax.vmap(partial(_crop, shape=images.shape[1:]))(padded, jnp.asarray(draws.corners))
    if draws.flips is not None:
        images = jnp.where(draws.flips[:, None, None, None], images[:, :, ::-1], images)
    return images


def _crop(
    padded: Float32[Array, "ph pw c"], corner: Int[Array, "2"], shape: tuple[int, ...]
) -> Float32[Array, "h w c"]:
    return jax.lax.dynamic_slice(padded, (*corner, 0), shape)
