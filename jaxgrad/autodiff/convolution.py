"""``lax.conv_general_dilated`` as GEMMs: one GEMM a group, by im2col where the GEMM itself is emulated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike
from jaxtyping import Num, UInt32

from jaxgrad.array import convolution as lowering
from jaxgrad.array.convolution import Convolution, Layout
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.wide import Wide
from jaxgrad.autodiff import effectual
from jaxgrad.autodiff.contraction import Chunks, check_not_empty

# About a second-level cache: im2col of some images at a time is 2 to 3 times as fast as of all of them at once.
_CACHE_BYTES = 1 << 20
_WORD_BYTES = 4


@dataclass(frozen=True)
class BatchGroups:
    """Groups of a batch, each with output channels of its own; as groups of channels they give the same result.

    Args:
        count: how many there are.
        batch, channels: the axes of the input.

    >>> BatchGroups(2, 0, 2).in_channels(jnp.ones((6, 5, 3))).shape
    (3, 5, 6)
    """

    count: int
    batch: int
    channels: int

    def in_channels(self, lhs: Array) -> Array:
        """The input with its groups side by side, one channel group after the other."""
        if self.count == 1:
            return lhs
        shape = list(lhs.shape)
        shape[self.batch] //= self.count
        by_group = lhs.reshape(*shape[: self.batch], self.count, *shape[self.batch :])
        shape[self.channels] *= self.count
        return jnp.moveaxis(by_group, self.batch, self.channels).reshape(shape)


@dataclass(frozen=True)
class ConvGeneralDilated:
    """A ``Contraction``: see there."""

    convolution: Convolution
    layout: Layout
    dimension_numbers: Any
    precision: Any
    preferred_element_type: Any

    kind = "conv_general_dilated"

    @classmethod
    def of(
        cls,
        lhs: Array | jax.ShapeDtypeStruct,
        rhs: Array | jax.ShapeDtypeStruct,
        window_strides: Sequence[int],
        padding: str | Sequence[tuple[int, int]],
        *,
        dimension_numbers: Any = None,
        precision: Any = None,
        preferred_element_type: DTypeLike | None = None,
        **geometry: Any,
    ) -> ConvGeneralDilated:
        """From the arguments of ``lax.conv_general_dilated``, of whose operands only shape and dtype matter."""
        check_not_empty(lhs, rhs)
        convolution, layout = lowering.geometry(
            lhs.shape, rhs.shape, window_strides, padding, dimension_numbers=dimension_numbers, **geometry
        )
        return cls(
            convolution,
            layout,
            lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers),
            precision,
            None if preferred_element_type is None else jnp.dtype(preferred_element_type),
        )

    @property
    def gemm(self) -> Gemm:
        return self.convolution.gemm

    @property
    def groups(self) -> int:
        return self.convolution.groups

    @property
    def x_words(self) -> int:
        geometry = self.convolution
        return geometry.batch * math.prod(geometry.image) * (geometry.in_channels // geometry.groups)

    @property
    def lhs_shape(self) -> tuple[int, ...]:
        geometry = self.convolution
        return _placed((geometry.batch, *geometry.image, geometry.in_channels), self.layout.lhs)

    @property
    def rhs_shape(self) -> tuple[int, ...]:
        geometry = self.convolution
        channels = geometry.in_channels // geometry.groups
        return _placed((*geometry.kernel, channels, geometry.out_channels), self.layout.rhs)

    def plain(self, lhs: Array, rhs: Array) -> Array:
        return lax.conv_general_dilated(
            lhs,
            rhs,
            self.convolution.strides,
            self.convolution.padding,
            rhs_dilation=self.convolution.dilation,
            dimension_numbers=self.dimension_numbers,
            feature_group_count=self.convolution.groups,
            precision=self.precision,
            preferred_element_type=self.preferred_element_type,
        )

    def x(self, lhs: Array) -> Num[Array, "groups b k"]:
        return lowering.patches(self.layout.image(lhs), self.convolution)

    def w(self, rhs: Array) -> Num[Array, "groups k n"]:
        return lowering.kernel_matrix(self.layout.weights(rhs), self.convolution)

    def rows(self, out: Array) -> Num[Array, "groups b n"]:
        return lowering.output_rows(self.layout.output(out), self.convolution)

    def out(self, rows: Num[Array, "groups b n"]) -> Array:
        return self.layout.as_out(lowering.rows_to_output(rows, self.convolution))

    def lhs_cotangent(self, dx: Num[Array, "groups b k"]) -> Array:
        return self.layout.as_lhs(lowering.columns_to_image(dx, self.convolution))

    def rhs_cotangent(self, dw: Num[Array, "groups k n"]) -> Array:
        return self.layout.as_rhs(lowering.matrix_to_kernel(dw, self.convolution))

    @property
    def chunks(self) -> Chunks | None:
        size = self.gemm.batch * self.gemm.in_features * self.groups * _WORD_BYTES
        batch = self.convolution.batch
        most = min(batch, batch * _CACHE_BYTES // size)  # images whose patches the cache holds
        images = next((images for images in range(most, 1, -1) if batch % images == 0), 1)
        count, part = batch // images, replace(self, convolution=replace(self.convolution, batch=images))
        return Chunks(count, part, self.layout.lhs[0], self.layout.out[0]) if count > 1 else None

    def effectual_forward(self, lhs: Array, rhs: Array) -> tuple[Wide, UInt32[Array, "..."]]:
        return effectual.convolution_forward(self.layout.image(lhs), self.layout.weights(rhs), self.convolution)

    def effectual_backward(self, live: UInt32[Array, "..."], rhs: Array, cotangent: Array) -> tuple[Wide, Wide]:
        return effectual.convolution_backward(
            live, self.layout.weights(rhs), self.layout.output(cotangent), self.convolution
        )


def _placed(sizes: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape whose ``axes`` have these sizes."""
    return tuple(size for _, size in sorted(zip(axes, sizes, strict=True)))
