"""Convolutions and poolings, channels first as ONNX has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxgrad.interop.onnx.forward.values import Node


def conv(node: Node) -> Array:
    x, kernel, bias = node.input(0), node.input(1), node.input(2)
    spatial = x.ndim - 2
    strides, dilations = (_ones(node, name, spatial) for name in ("strides", "dilations"))
    padding = _padding(node, x.shape[2:], kernel.shape[2:], strides, dilations)
    # Channels last, as JAX's own layers have them, so that the array sees the same products.
    letters = "DHW"[-spatial:]
    layout = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    y = jax.lax.conv_general_dilated(
        jnp.moveaxis(x, 1, -1),
        jnp.moveaxis(kernel, (0, 1), (-1, -2)),
        strides,
        padding,
        rhs_dilation=dilations,
        dimension_numbers=layout,
        feature_group_count=node.attributes.get("group", 1),
    )
    y = y if bias is None else y + bias
    return jnp.moveaxis(y, -1, 1)


def max_pool(node: Node) -> Array:
    return _pooled(node, -jnp.inf, jax.lax.max)


def average_pool(node: Node) -> Array:
    x, sums = node.input(0), _pooled(node, 0.0, jax.lax.add)
    if node.attributes.get("count_include_pad", 0) and not node.attributes.get("ceil_mode", 0):
        return sums / math.prod(node.attributes["kernel_shape"])
    ones = node._replace(inputs=(jnp.ones((1, 1, *x.shape[2:]), x.dtype),))
    return sums / _pooled(ones, 0.0, jax.lax.add)


def _pooled(node: Node, initial: float, combine: Callable[[Any, Any], Any]) -> Array:
    x, window = node.input(0), node.attributes["kernel_shape"]
    strides, dilations = (_ones(node, name, len(window)) for name in ("strides", "dilations"))
    padding = _padding(node, x.shape[2:], window, strides, dilations)
    if node.attributes.get("ceil_mode", 0):
        padding = [
            (before, after + _to_ceil(size, before + after, extent, stride, dilation))
            for (before, after), size, extent, stride, dilation in zip(
                padding, x.shape[2:], window, strides, dilations, strict=True
            )
        ]
    return jax.lax.reduce_window(
        x, initial, combine, (1, 1, *window), (1, 1, *strides), [(0, 0), (0, 0), *padding],
        window_dilation=(1, 1, *dilations),
    )  # fmt: skip


def _to_ceil(size: int, padding: int, window: int, stride: int, dilation: int) -> int:
    """Further padding with which the number of windows is rounded up; a window that begins beyond the end is none."""
    left = (size + padding - dilation * (window - 1) - 1) % stride
    return stride - left if left else 0


def _ones(node: Node, attribute: str, count: int) -> list[int]:
    return list(node.attributes.get(attribute, [1] * count))


def _padding(
    node: Node, sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    kind = node.attributes.get("auto_pad", "NOTSET")
    if kind == "NOTSET":
        pads = node.attributes.get("pads", [0] * 2 * len(sizes))
        return list(zip(pads[: len(sizes)], pads[len(sizes) :], strict=True))
    if kind == "VALID":
        return [(0, 0)] * len(sizes)
    padding = []
    for size, extent, stride, dilation in zip(sizes, window, strides, dilations, strict=True):
        missing = max(0, (math.ceil(size / stride) - 1) * stride + dilation * (extent - 1) + 1 - size)
        less, more = missing // 2, missing - missing // 2
        padding.append((less, more) if kind == "SAME_UPPER" else (more, less))
    return padding
