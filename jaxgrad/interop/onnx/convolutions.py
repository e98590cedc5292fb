"""The GEMMs of ONNX's convolutions, whose images are N x C x D1 x D2 ... and weights M x C/groups x k1 x k2 ..."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jaxgrad.array.convolution import Convolution
from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError, one_of

_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
Shape = tuple[int, ...]


def convolution(name: str, attributes: Mapping[str, Any], x: Shape, w: Shape) -> Convolution:
    """The convolution of an image of shape ``x`` with weights of shape ``w``.

    Raises:
        InputError: what ONNX's shape inference lets pass, and does not fit.
    """
    rank = len(x) - 2
    groups = attributes.get("group", 1)
    if len(w) != len(x) or x[1] != w[1] * groups or w[0] % groups:
        raise InputError(
            "model",
            x,
            "give what fits",
            problem=f"got {x[1]} channels in {groups} groups for Conv ({name}), whose weights are {w}",
        )
    _check_taps("Conv", name, attributes, w)
    strides = tuple(attributes.get("strides", (1,) * rank))
    dilation = tuple(attributes.get("dilations", (1,) * rank))
    return Convolution(
        batch=x[0],
        image=x[2:],
        kernel=w[2:],
        in_channels=x[1],
        out_channels=w[0],
        strides=strides,
        padding=_padding(name, attributes, x[2:], w[2:], strides, dilation),
        dilation=dilation,
        groups=groups,
    )


def transposed(name: str, attributes: Mapping[str, Any], x: Shape, w: Shape) -> tuple[Gemm, int]:
    """The GEMM of one group of a transposed convolution, and the groups; its weights are C x M/groups x k1 x k2 ...

    It is computed as columns, which are then added up where they overlap: each pixel of the image meets each tap once,
    whatever the strides, and those that padding cuts off too.
    """
    groups = attributes.get("group", 1)
    if len(w) != len(x) or x[1] != w[0] or groups < 1 or w[0] % groups:
        problem = f"got {x[1]} channels in {groups} groups for ConvTranspose ({name}), whose weights are {w}"
        raise InputError("model", x, "give what fits", problem=problem)
    _check_taps("ConvTranspose", name, attributes, w)
    return Gemm(x[0] * math.prod(x[2:]), x[1] // groups, w[1] * math.prod(w[2:])), groups


def _check_taps(kind: str, name: str, attributes: Mapping[str, Any], w: Shape) -> None:
    taps = tuple(attributes.get("kernel_shape", w[2:]))
    if taps != w[2:]:
        problem = f"got kernel_shape {taps} for {kind} ({name}), whose weights are {w}"
        raise InputError("model", taps, f"give {w[2:]}", problem=problem)


def _padding(
    name: str, attributes: Mapping[str, Any], image: Shape, taps: Shape, strides: Shape, dilation: Shape
) -> tuple[tuple[int, int], ...]:
    automatic = attributes.get("auto_pad", b"NOTSET").decode(errors="replace")
    one_of(f"model, auto_pad of Conv ({name})", automatic, _AUTO_PADS)
    if automatic == "VALID":
        return ((0, 0),) * len(image)
    if automatic != "NOTSET":
        axes = zip(image, taps, strides, dilation, strict=True)
        return tuple(_same(*axis, upper=automatic == "SAME_UPPER") for axis in axes)
    pads = tuple(attributes.get("pads", (0,) * 2 * len(image)))
    return tuple(zip(pads[: len(image)], pads[len(image) :], strict=True))


def _same(size: int, taps: int, stride: int, dilation: int, *, upper: bool) -> tuple[int, int]:
    """The padding that makes ``ceil(size / stride)`` outputs, its odd pixel on the upper or on the lower side."""
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1 - size)
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)
