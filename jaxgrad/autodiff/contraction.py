"""What the rule needs to know of a layer's product: XLA's own operation, and the GEMMs it is on the array."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Num, UInt32

from jaxgrad.array.gemm import Gemm
from jaxgrad.array.wide import Wide
from jaxgrad.base.errors import InputError


class Chunks(NamedTuple):
    """A contraction in ``count`` equal parts of its rows, each small enough for a cache.

    Args:
        count: the number of parts.
        part: the contraction that each of them is.
        lhs_axis, out_axis: the axis of the input, and of the output, that is split.
    """

    count: int
    part: Contraction
    lhs_axis: int
    out_axis: int


@runtime_checkable
class Contraction(Hashable, Protocol):
    """A bilinear operation of an input ``lhs`` and weights ``rhs`` that is ``groups`` GEMMs of one size.

    Implementations are frozen: a contraction is a static argument of the rule.
    """

    @property
    def kind(self) -> str:
        """Name of the operation."""
        ...

    @property
    def gemm(self) -> Gemm:
        """The GEMM of one group."""
        ...

    @property
    def groups(self) -> int: ...

    @property
    def x_words(self) -> int:
        """Elements of the input that one group's GEMM is made of, where they are not ``batch * in_features``; or 0."""
        ...

    @property
    def lhs_shape(self) -> tuple[int, ...]: ...

    @property
    def rhs_shape(self) -> tuple[int, ...]: ...

    @abstractmethod
    def plain(self, lhs: Array, rhs: Array) -> Array:
        """The operation as XLA does it."""

    @abstractmethod
    def x(self, lhs: Array) -> Num[Array, "groups b k"]:
        """The GEMMs' streamed operand."""

    @abstractmethod
    def w(self, rhs: Array) -> Num[Array, "groups k n"]:
        """The GEMMs' weights."""

    @abstractmethod
    def rows(self, out: Array) -> Num[Array, "groups b n"]:
        """The operation's output, or its cotangent, as the GEMMs'."""

    @abstractmethod
    def out(self, rows: Num[Array, "groups b n"]) -> Array:
        """The inverse of ``rows``."""

    @abstractmethod
    def lhs_cotangent(self, dx: Num[Array, "groups b k"]) -> Array:
        """The transpose of ``x``."""

    @abstractmethod
    def rhs_cotangent(self, dw: Num[Array, "groups k n"]) -> Array:
        """The transpose of ``w``."""

    @property
    def chunks(self) -> Chunks | None:
        """How to go through the operands a part at a time, where that pays."""
        ...

    @abstractmethod
    def effectual_forward(self, lhs: Array, rhs: Array) -> tuple[Wide, UInt32[Array, "..."]]:
        """MACs of the forward products with no zero operand, and the non-zeros in each row of x, for the backward."""

    @abstractmethod
    def effectual_backward(self, live: UInt32[Array, "..."], rhs: Array, cotangent: Array) -> tuple[Wide, Wide]:
        """MACs with no zero operand, of dX and of dW."""


def check_floats(lhs: Array, rhs: Array) -> None:
    """Refuses operands that have no derivative, and complex ones."""
    for name, operand in (("lhs", lhs), ("rhs", rhs)):
        if not jnp.issubdtype(operand.dtype, jnp.floating):
            raise InputError(
                name, operand.dtype, "give floats (cast with .astype('float32'))", problem=f"got dtype {operand.dtype}"
            )


def check_not_empty(lhs: Array | jax.ShapeDtypeStruct, rhs: Array | jax.ShapeDtypeStruct) -> None:
    """Refuses operands without elements."""
    for name, operand in (("lhs", lhs), ("rhs", rhs)):
        if 0 in operand.shape:
            raise InputError(
                name, operand.shape, "give at least one element along every axis", problem=f"got shape {operand.shape}"
            )
