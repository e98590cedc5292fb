"""Pixels as networks take them: floats from 0 to 1, or standardised."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from jaxgrad.training.data.dataset import Dataset


def unit(images: UInt8[np.ndarray, "n h w c"]) -> Float32[np.ndarray, "n h w c"]:
    """Bytes as floats from 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


def channel_statistics(
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


def standard(dataset: Dataset) -> Dataset:
    """The same, each pixel less its mean over the training images, divided by its standard deviation there; a constant
    one is 0."""
    mean = dataset.train_images.mean(axis=0, dtype=np.float64)
    deviation = dataset.train_images.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1)
    train, test = (
        ((images - mean) / scale).astype(np.float32) for images in (dataset.train_images, dataset.test_images)
    )
    return dataset._replace(train_images=train, test_images=test)
