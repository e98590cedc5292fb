"""``lax.conv_general_dilated`` with a dilated input, a transposed convolution, as GEMMs without the inserted zeros.

It is the transpose of a convolution whose strides are the dilation (``columns`` here). So each input pixel meets the
whole kernel, ``x w``, and col2im adds up the columns that result; elements that the strides leave out are computed all
the same. In the GEMMs of the gradients, im2col of dY stands for dY.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike
from jaxtyping import Num

from jaxgrad.array import convolution as lowering
from jaxgrad.array.convolution import Convolution, Layout
from jaxgrad.array.gemm import Gemm
from jaxgrad.autodiff.contraction import check_not_empty
from jaxgrad.autodiff.effectual import OnOperands


@dataclass(frozen=True)
class ConvTransposed(OnOperands):
    """A ``Contraction``: see there.

    Args:
        columns: the convolution that it transposes: of its output without strides, with its kernel reversed.
        layout: of its operands.
        strides: of its output.
        padding: of its dilated input.
    """

    columns: Convolution
    layout: Layout
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dimension_numbers: Any
    precision: Any
    preferred_element_type: Any
    lhs_shape: tuple[int, ...]
    rhs_shape: tuple[int, ...]

    kind = "conv_general_dilated"
    x_words = 0  # the input is the GEMM's own operand
    chunks = None

    @classmethod
    def of(
        cls,
        lhs: Array | jax.ShapeDtypeStruct,
        rhs: Array | jax.ShapeDtypeStruct,
        window_strides: Sequence[int],
        padding: Sequence[tuple[int, int]],
        *,
        lhs_dilation: Sequence[int],
        rhs_dilation: Sequence[int],
        dimension_numbers: Any,
        feature_group_count: int = 1,
        precision: Any = None,
        preferred_element_type: DTypeLike | None = None,
    ) -> ConvTransposed:
        """From the arguments of ``lax.conv_general_dilated``, of whose operands only shape and dtype matter."""
        check_not_empty(lhs, rhs)
        layout = Layout.of(lhs.shape, rhs.shape, dimension_numbers)
        batch, *image, channels = (lhs.shape[axis] for axis in layout.lhs)
        *kernel, _, out_channels = (rhs.shape[axis] for axis in layout.rhs)
        sizes, pads = [], []
        for size, step, taps, apart, (low, high) in zip(
            image, lhs_dilation, kernel, rhs_dilation, padding, strict=True
        ):
            reach, dilated = (taps - 1) * apart, (size - 1) * step + 1
            sizes.append(dilated + low + high - reach)
            pads.append((reach - low, reach - high))
        columns = Convolution(
            batch=batch,
            image=tuple(sizes),
            kernel=tuple(kernel),
            in_channels=out_channels,
            out_channels=channels,
            strides=tuple(lhs_dilation),
            padding=tuple(pads),
            dilation=tuple(rhs_dilation),
            groups=feature_group_count,
        )
        return cls(
            columns,
            layout,
            tuple(window_strides),
            tuple(padding),
            lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers),
            precision,
            None if preferred_element_type is None else jnp.dtype(preferred_element_type),
            lhs.shape,
            rhs.shape,
        )

    @property
    def gemm(self) -> Gemm:
        gemm = self.columns.gemm
        return Gemm(gemm.batch, gemm.out_features, gemm.in_features)

    @property
    def groups(self) -> int:
        return self.columns.groups

    def plain(self, lhs: Array, rhs: Array) -> Array:
        return lax.conv_general_dilated(
            lhs,
            rhs,
            self.strides,
            self.padding,
            lhs_dilation=self.columns.strides,
            rhs_dilation=self.columns.dilation,
            dimension_numbers=self.dimension_numbers,
            feature_group_count=self.groups,
            precision=self.precision,
            preferred_element_type=self.preferred_element_type,
        )

    def x(self, lhs: Array) -> Num[Array, "groups b k"]:
        return lowering.output_rows(self.layout.image(lhs), self.columns)

    def w(self, rhs: Array) -> Num[Array, "groups k n"]:
        taps = jnp.flip(self.layout.weights(rhs), self._spatial)
        return taps.reshape(self._by_tap).transpose(2, 1, 0, 3).reshape(self.groups, *self._matrix)

    def rows(self, out: Array) -> Num[Array, "groups b n"]:
        image = self.layout.output(out)
        spread = [
            (0, whole - (size - 1) * step - 1, step - 1)
            for whole, size, step in zip(self.columns.image, image.shape[1:-1], self.strides, strict=True)
        ]
        whole = lax.pad(image, jnp.zeros((), image.dtype), [(0, 0, 0), *spread, (0, 0, 0)])
        return lowering.patches(whole, self.columns)

    def out(self, rows: Num[Array, "groups b n"]) -> Array:
        image = lowering.columns_to_image(rows, self.columns)
        return self.layout.as_out(image[(slice(None), *(slice(None, None, step) for step in self.strides))])

    def lhs_cotangent(self, dx: Num[Array, "groups b k"]) -> Array:
        return self.layout.as_lhs(lowering.rows_to_output(dx, self.columns))

    def rhs_cotangent(self, dw: Num[Array, "groups k n"]) -> Array:
        taps, channels, groups, out_channels = self._by_tap
        by_tap = dw.reshape(groups, channels, taps, out_channels).transpose(2, 1, 0, 3)
        kernel = by_tap.reshape(*self.columns.kernel, channels, groups * out_channels)
        return self.layout.as_rhs(jnp.flip(kernel, self._spatial))

    @property
    def _spatial(self) -> tuple[int, ...]:
        return tuple(range(len(self.columns.kernel)))

    @property
    def _matrix(self) -> tuple[int, int]:
        return self.gemm.in_features, self.gemm.out_features

    @property
    def _by_tap(self) -> tuple[int, int, int, int]:
        """The kernel's taps, input channels of a group, groups, and output channels of a group."""
        out_channels = self.columns.in_channels // self.groups
        return self.gemm.out_features // out_channels, self.gemm.in_features, self.groups, out_channels
