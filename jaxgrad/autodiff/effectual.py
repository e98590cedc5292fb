"""Effectual MACs, those of two non-zero operands, counted from the data in one reading of each tensor.

With nnz the number of non-zeros, DESIGN.md section 2 gives dX ``sum_n nnz_b(dy[:, n]) nnz_k(w[:, n])`` and dW
``sum_b nnz_k(x[b, :]) nnz_n(dy[b, :])``. Both, and the forward product's, are sums over non-zero elements of how many
products the element enters, so one reduction over the last axis yields a tensor's weighted and plain counts at once.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Num, UInt32

from jaxgrad.array import wide
from jaxgrad.array.convolution import Convolution
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.wide import Wide
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.base.errors import InputError

_WORD = 1 << 32
_SHORT = 32
_LONGEST = 1024  # what is longer would unfold into too many slices


class OnOperands:
    """The part of a ``Contraction`` that counts effectual MACs, by its GEMMs' own operands as they lie."""

    def effectual_forward(self: Contraction, lhs: Array, rhs: Array) -> tuple[Wide, UInt32[Array, "..."]]:
        return forward(self.x(lhs), self.w(rhs), self.gemm)

    def effectual_backward(
        self: Contraction, live: UInt32[Array, "..."], rhs: Array, cotangent: Array
    ) -> tuple[Wide, Wide]:
        return backward(live, self.w(rhs), self.rows(cotangent), self.gemm)


def forward(
    x: Num[Array, "groups b k"], w: Num[Array, "groups k n"], gemm: Gemm
) -> tuple[Wide, UInt32[Array, "groups b"]]:
    """Effectual MACs of ``x w``, and the non-zeros in each row of x."""
    readers = _sum(wide.nonzero(w), 2)[:, None, :]
    live, effectual = _live_and_weighted(x, readers, gemm.out_features)
    return _total(effectual, _row_macs(gemm)), live


def backward(
    live: UInt32[Array, "groups b"], w: Num[Array, "groups k n"], dy: Num[Array, "groups b n"], gemm: Gemm
) -> tuple[Wide, Wide]:
    """Effectual MACs of dX and dW; ``live`` is what ``forward`` returned."""
    live_dy, effectual = _live_and_weighted(dy, _sum(wide.nonzero(w), 1)[:, None, :], gemm.in_features)
    return _total(effectual, _row_macs(gemm)), _total(live * live_dy, _row_macs(gemm))


def convolution_forward(
    x: Num[Array, "batch *image channels"], w: Num[Array, "*kernel group_channels out"], convolution: Convolution
) -> tuple[Wide, UInt32[Array, "batch *output groups"]]:
    """As ``forward`` for the GEMMs of a convolution, without its patches; padding is zero."""
    grouped = x.reshape(*x.shape[:-1], convolution.groups, -1)
    readers = _readers(w, convolution).reshape(grouped.shape[1:])
    live, effectual = _live_and_weighted(
        grouped, readers, math.prod(convolution.kernel) * convolution.gemm.out_features
    )
    return _total(effectual, _row_macs(convolution.gemm)), _window_sum(live, convolution)


def convolution_backward(
    live: UInt32[Array, "batch *output groups"],
    w: Num[Array, "*kernel group_channels out"],
    dy: Num[Array, "batch *output out"],
    convolution: Convolution,
) -> tuple[Wide, Wide]:
    """As ``backward`` for the GEMMs of a convolution."""
    grouped = dy.reshape(*dy.shape[:-1], convolution.groups, -1)
    readers = _sum(wide.nonzero(w), *range(w.ndim - 1)).reshape(convolution.groups, -1)
    live_dy, effectual = _live_and_weighted(grouped, readers, convolution.gemm.in_features)
    return _total(effectual, _row_macs(convolution.gemm)), _total(live * live_dy, _row_macs(convolution.gemm))


def _live_and_weighted(
    values: Num[Array, "*rows features"], weights: UInt32[Array, "*#rows features"], bound: int
) -> tuple[UInt32[Array, "*rows"], UInt32[Array, "*rows"]]:
    """For each row the number of its non-zeros, and the sum of their ``weights``, none of which exceeds ``bound``.

    Where both fit one word they are summed as one, which halves the reading of the tensor: on CPU that reading is
    what counting costs.
    """
    features = values.shape[-1]
    if features * bound >= _WORD:
        raise InputError(
            "weights",
            features,
            "effectual MACs are exact below 2**32",
            problem=f"got {features} x {bound} of them in one GEMM",
        )
    alive = wide.nonzero(values)
    bits = features.bit_length()
    if (features * bound) << bits < _WORD:
        both = _sum(jnp.where(alive, (weights << bits) | 1, jnp.uint32(0)), -1)
        return both & ((1 << bits) - 1), both >> bits
    return _sum(alive, -1), _sum(jnp.where(alive, weights, jnp.uint32(0)), -1)


def _row_macs(gemm: Gemm) -> int:
    """MACs that one row of x, or one pixel, enters at most."""
    return gemm.in_features * gemm.out_features


def _total(counts: UInt32[Array, "..."], bound: int) -> Wide:
    """The sum of counts none of which exceeds ``bound``: over as many axes as a word can hold, then in pairs."""
    axes, most = 0, bound
    while axes < counts.ndim and most * counts.shape[-axes - 1] < _WORD:
        axes += 1
        most *= counts.shape[-axes]
    return wide.total(_sum(counts, *range(counts.ndim - axes, counts.ndim), neighbours=True))


def _sum(values: Array, *axes: int, neighbours: bool = False) -> UInt32[Array, "..."]:
    """The sum over ``axes``, in words.

    XLA on CPU splits the reduction of an axis longer than ``_SHORT`` in two and writes its operand out in between;
    folding the axis in half first, elementwise, keeps it one loop. Halves are read fastest; with ``neighbours`` it is
    each number and the next that are added, which are on one device where a batch is split among several.
    """
    values = values.astype(jnp.uint32)
    for axis in axes:
        while _SHORT < values.shape[axis] <= _LONGEST and values.shape[axis] % 2 == 0:
            if neighbours:
                before, after = values.shape[:axis], values.shape[axis + 1 :]
                values = values.reshape(*before, -1, 2, *after)
                first, second = (lax.index_in_dim(values, side, axis + 1, keepdims=False) for side in (0, 1))
            else:
                first, second = jnp.split(values, 2, axis)
            values = first + second
    return values.sum(axes, dtype=jnp.uint32)


def _readers(w: Num[Array, "*kernel group_channels out"], convolution: Convolution) -> UInt32[Array, "*image channels"]:
    """How many non-zero weights each input element meets: fewer at the border and where strides skip it."""
    live = wide.nonzero(w).reshape(*convolution.kernel, -1, convolution.groups, convolution.gemm.out_features)
    counts = jnp.swapaxes(_sum(live, -1), -1, -2).reshape(*convolution.kernel, convolution.in_channels)
    for axis in range(len(convolution.kernel)):
        reached = _reached(convolution, axis)
        by_tap = jnp.moveaxis(counts, axis, 0)
        spread = sum(
            reached[tap].reshape(-1, *(1,) * (by_tap.ndim - 1)) * by_tap[tap] for tap in range(convolution.kernel[axis])
        )
        counts = jnp.moveaxis(jnp.asarray(spread), 0, axis)
    return counts


def _reached(convolution: Convolution, axis: int) -> np.ndarray:
    """``[tap, position]``: 1 where some output reads this input position through this tap."""
    reached = np.zeros((convolution.kernel[axis], convolution.image[axis]), np.uint32)
    outputs = np.arange(convolution.output[axis]) * convolution.strides[axis]
    for tap, row in enumerate(reached):
        positions = outputs + tap * convolution.dilation[axis] - convolution.padding[axis][0]
        row[positions[(positions >= 0) & (positions < row.size)]] = 1
    return reached


def _window_sum(
    counts: UInt32[Array, "batch *image groups"], convolution: Convolution
) -> UInt32[Array, "batch *output groups"]:
    """The sum over each output's window, one axis after another."""
    padding = [(0, 0, 0), *((low, high, 0) for low, high in convolution.padding), (0, 0, 0)]
    counts = lax.pad(counts, jnp.uint32(0), padding)
    for axis in range(len(convolution.kernel)):
        span = (convolution.output[axis] - 1) * convolution.strides[axis] + 1
        starts = (tap * convolution.dilation[axis] for tap in range(convolution.kernel[axis]))
        slices = [
            lax.slice_in_dim(counts, start, start + span, convolution.strides[axis], axis + 1) for start in starts
        ]
        counts = sum(slices[1:], start=slices[0])
    return counts
