"""``lax.dot_general`` as GEMMs: the lhs is x, the rhs is w, and every batch element is a GEMM of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import DTypeLike
from jaxtyping import Num

from jaxgrad.array.gemm import Gemm
from jaxgrad.autodiff.contraction import Contraction, check_not_empty
from jaxgrad.autodiff.effectual import OnOperands
from jaxgrad.base.errors import InputError, whole_number

DimensionNumbers = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]


@dataclass(frozen=True)
class DotGeneral(OnOperands):
    """A ``Contraction``: see there.

    Args:
        lhs_axes, rhs_axes: the operand's axes, as (batch, free, contracting).
        lhs_shape, rhs_shape: the operands' shapes.
    """

    lhs_axes: tuple[tuple[int, ...], ...]
    rhs_axes: tuple[tuple[int, ...], ...]
    lhs_shape: tuple[int, ...]
    rhs_shape: tuple[int, ...]
    precision: Any
    preferred_element_type: Any

    kind = "dot_general"
    x_words = 0  # the input is the GEMM's own operand
    chunks = None  # its matrices are the operands themselves

    @classmethod
    def of(
        cls,
        lhs: Array | jax.ShapeDtypeStruct,
        rhs: Array | jax.ShapeDtypeStruct,
        dimension_numbers: DimensionNumbers,
        precision: Any = None,
        preferred_element_type: DTypeLike | None = None,
    ) -> DotGeneral:
        """From the arguments of ``lax.dot_general``, of whose operands only shape and dtype matter."""
        check_not_empty(lhs, rhs)
        (lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch) = dimension_numbers
        return cls(
            _axes(lhs.ndim, lhs_batch, lhs_contracting),
            _axes(rhs.ndim, rhs_batch, rhs_contracting),
            lhs.shape,
            rhs.shape,
            precision,
            None if preferred_element_type is None else jnp.dtype(preferred_element_type),
        )

    @property
    def gemm(self) -> Gemm:
        _, free, contracting = (self._size(axes) for axes in self.lhs_axes)
        return Gemm(free, contracting, math.prod(self.rhs_shape[axis] for axis in self.rhs_axes[1]))

    @property
    def groups(self) -> int:
        return self._size(self.lhs_axes[0])

    def plain(self, lhs: Array, rhs: Array) -> Array:
        (lhs_batch, _, lhs_contracting), (rhs_batch, _, rhs_contracting) = self.lhs_axes, self.rhs_axes
        return lax.dot_general(
            lhs,
            rhs,
            ((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch)),
            precision=self.precision,
            preferred_element_type=self.preferred_element_type,
        )

    def x(self, lhs: Array) -> Num[Array, "groups b k"]:
        return lhs.transpose(self._lhs_order).reshape(self.groups, self.gemm.batch, self.gemm.in_features)

    def w(self, rhs: Array) -> Num[Array, "groups k n"]:
        return rhs.transpose(self._rhs_order).reshape(self.groups, self.gemm.in_features, self.gemm.out_features)

    def rows(self, out: Array) -> Num[Array, "groups b n"]:
        return out.reshape(self.groups, self.gemm.batch, self.gemm.out_features)

    def out(self, rows: Num[Array, "groups b n"]) -> Array:
        (batch, free, _), (_, rhs_free, _) = self.lhs_axes, self.rhs_axes
        return rows.reshape(
            [self.lhs_shape[axis] for axis in (*batch, *free)] + [self.rhs_shape[axis] for axis in rhs_free]
        )

    def lhs_cotangent(self, dx: Num[Array, "groups b k"]) -> Array:
        return _restore(dx, self._lhs_order, self.lhs_shape)

    def rhs_cotangent(self, dw: Num[Array, "groups k n"]) -> Array:
        return _restore(dw, self._rhs_order, self.rhs_shape)

    @property
    def _lhs_order(self) -> tuple[int, ...]:
        batch, free, contracting = self.lhs_axes
        return (*batch, *free, *contracting)

    @property
    def _rhs_order(self) -> tuple[int, ...]:
        batch, free, contracting = self.rhs_axes
        return (*batch, *contracting, *free)

    def _size(self, axes: tuple[int, ...]) -> int:
        return math.prod(self.lhs_shape[axis] for axis in axes)


def first_columns(contraction: Contraction, columns: int) -> Contraction:
    """A product of the first columns of x, and the first rows of w, alone; itself where these are all.

    Raises:
        ValueError: there are not so many, or it is no ``DotGeneral`` that contracts one axis.
    """
    whole_number("columns", columns, most=contraction.gemm.in_features)
    if columns == contraction.gemm.in_features:
        return contraction
    if not isinstance(contraction, DotGeneral) or len(contraction.lhs_axes[2]) != 1:
        remedy = "give all, or a DotGeneral along one axis, which has columns of its own"
        raise InputError("columns", columns, remedy, problem=f"got {columns} of {contraction.kind}")
    (of_lhs,), (of_rhs,) = contraction.lhs_axes[2], contraction.rhs_axes[2]
    lhs_shape, rhs_shape = contraction.lhs_shape, contraction.rhs_shape
    return replace(
        contraction,
        lhs_shape=(*lhs_shape[:of_lhs], columns, *lhs_shape[of_lhs + 1 :]),
        rhs_shape=(*rhs_shape[:of_rhs], columns, *rhs_shape[of_rhs + 1 :]),
    )


def _axes(ndim: int, batch: Sequence[int], contracting: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    taken = {*batch, *contracting}
    free = tuple(axis for axis in range(ndim) if axis not in taken)
    return tuple(int(axis) for axis in batch), free, tuple(int(axis) for axis in contracting)


def _restore(matrices: Array, order: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """The inverse of a transpose by ``order`` and a reshape."""
    permuted = matrices.reshape([shape[axis] for axis in order])
    return permuted.transpose(cast(Sequence[int], np.argsort(order).tolist()))
