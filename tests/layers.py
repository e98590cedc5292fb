"""Convolutions of every kind the emulator takes, and data that floats add up exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NHWC = ("NHWC", "HWIO", "NHWC")


class Conv(NamedTuple):
    """Arguments of ``lax.conv_general_dilated``; see there."""

    lhs: tuple[int, ...]
    rhs: tuple[int, ...]
    strides: tuple[int, ...] = (1, 1)
    padding: Any = "SAME"
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    layout: tuple[str, str, str] = NHWC

    @property
    def arguments(self) -> tuple[Any, Any]:
        return self.strides, self.padding

    @property
    def options(self) -> dict[str, Any]:
        return {
            "rhs_dilation": self.dilation,
            "feature_group_count": self.groups,
            "dimension_numbers": self.layout,
        }


CONVOLUTIONS = {
    "3x3": Conv((2, 5, 6, 3), (3, 3, 3, 4)),
    "1x1": Conv((2, 3, 4, 3), (1, 1, 3, 5)),
    "one pixel": Conv((1, 1, 1, 1), (1, 1, 1, 1)),
    "odd sizes, stride 2": Conv((3, 7, 5, 2), (3, 3, 2, 3), (2, 2)),
    "stride beyond the kernel": Conv((2, 7, 7, 2), (2, 2, 2, 3), (3, 3), "VALID"),
    "uneven strides, valid": Conv((2, 6, 7, 2), (2, 3, 2, 3), (1, 2), "VALID"),
    "same, lower": Conv((2, 6, 5, 2), (2, 4, 2, 3), (2, 1), "SAME_LOWER"),
    "asymmetric padding": Conv((2, 5, 4, 2), (3, 2, 2, 3), (2, 1), ((0, 2), (3, 1))),
    "padding beyond the kernel": Conv((1, 3, 3, 2), (2, 2, 2, 2), (1, 1), ((4, 0), (0, 3))),
    "negative padding": Conv((2, 6, 6, 2), (3, 3, 2, 3), (2, 1), ((-1, 0), (1, -2))),
    "dilation": Conv((2, 7, 8, 2), (3, 2, 2, 3), (1, 2), "SAME", (2, 3)),
    "groups": Conv((2, 5, 4, 4), (3, 3, 2, 6), (1, 1), "SAME", (1, 1), 2),
    "depthwise": Conv((2, 5, 5, 3), (3, 3, 1, 3), (2, 2), "SAME", (1, 1), 3),
    "depthwise, two outputs a channel": Conv((2, 4, 4, 3), (2, 2, 1, 6), (1, 1), "VALID", (1, 1), 3),
    "NCHW": Conv((2, 4, 5, 6), (6, 2, 3, 3), (2, 1), "SAME", (1, 2), 2, ("NCHW", "OIHW", "NCHW")),
    "mixed layouts": Conv((5, 2, 6, 3), (3, 3, 2, 4), (1, 1), "VALID", (1, 1), 1, ("HCWN", "HWIO", "NHWC")),
    "1-D": Conv((2, 8, 3), (3, 3, 4), (2,), "SAME", (2,), 1, ("NHC", "HIO", "NHC")),
    "3-D": Conv((1, 3, 4, 3, 2), (2, 2, 2, 2, 3), (1, 2, 1), "SAME", (1, 1, 1), 1, ("NDHWC", "DHWIO", "NDHWC")),
}


def sparse_integers(seed: int, *shape: int) -> NDArray[np.float32]:
    """Small integers, half of them zeros, as ReLU leaves them: float32 adds them up exactly in any order."""
    return np.maximum(np.random.default_rng(seed).integers(-4, 5, shape), 0).astype(np.float32)


def integers(seed: int, *shape: int) -> NDArray[np.float32]:
    """Small integers of both signs, some of them zeros."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)
