"""Products of complex numbers as the array takes them: a real GEMM for each part of one operand with each of the other.

A PE multiplies real numbers. So ``(a + ib)(c + id)`` is four GEMMs, ``ac``, ``ad``, ``bc`` and ``bd``, and its
gradients are four each; where one operand is real, they are two. Adding the parts up is work beside the array.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike
from jaxtyping import Num

from jaxgrad.array.gemm import Gemm
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.effectual import OnOperands


def of_parts(contraction: Contraction, lhs: DTypeLike, rhs: DTypeLike) -> Contraction:
    """A contraction of operands of these types as real GEMMs: itself, unless one of them is complex."""
    parts = [1 + jnp.issubdtype(dtype, jnp.complexfloating) for dtype in (lhs, rhs)]
    return contraction if max(parts) == 1 else OfParts(contraction, *parts)


@dataclass(frozen=True)
class OfParts(OnOperands):
    """A ``Contraction``: see there. Its groups are those of each pair of parts, one after the other.

    Args:
        whole: the contraction, which takes real operands as it takes complex ones.
        lhs_parts, rhs_parts: 2 for an operand that is complex, 1 for one that is real.
    """

    whole: Contraction
    lhs_parts: int
    rhs_parts: int

    chunks = None

    @property
    def kind(self) -> str:
        return self.whole.kind

    @property
    def gemm(self) -> Gemm:
        return self.whole.gemm

    @property
    def groups(self) -> int:
        return self.whole.groups * self.lhs_parts * self.rhs_parts

    @property
    def x_words(self) -> int:
        return self.whole.x_words

    @property
    def lhs_shape(self) -> tuple[int, ...]:
        return self.whole.lhs_shape

    @property
    def rhs_shape(self) -> tuple[int, ...]:
        return self.whole.rhs_shape

    def plain(self, lhs: Array, rhs: Array) -> Array:
        return self.whole.plain(lhs, rhs)

    def x(self, lhs: Array) -> Num[Array, "groups b k"]:
        parts = [self.whole.x(part) for part in _parts(lhs, self.lhs_parts)]
        return jnp.concatenate([parts[of_lhs] for of_lhs, _ in self._pairs])

    def w(self, rhs: Array) -> Num[Array, "groups k n"]:
        parts = [self.whole.w(part) for part in _parts(rhs, self.rhs_parts)]
        return jnp.concatenate([parts[of_rhs] for _, of_rhs in self._pairs])

    def rows(self, out: Array) -> Num[Array, "groups b n"]:
        # JAX's cotangent of a complex number is the conjugate of its parts' cotangents.
        real, imaginary = self.whole.rows(out.real), -self.whole.rows(out.imag)
        return jnp.concatenate([(real, imaginary, -real)[sum(pair)] for pair in self._pairs])

    def out(self, rows: Num[Array, "groups b n"]) -> Array:
        parts = rows.reshape(len(self._pairs), self.whole.groups, *rows.shape[1:])
        power = [sum(pair) for pair in self._pairs]  # of i
        real = sum(
            part if exponent == 0 else -part for part, exponent in zip(parts, power, strict=True) if exponent != 1
        )
        imaginary = sum(part for part, exponent in zip(parts, power, strict=True) if exponent == 1)
        return lax.complex(*(self.whole.out(jnp.asarray(part)) for part in (real, imaginary)))

    def lhs_cotangent(self, dx: Num[Array, "groups b k"]) -> Array:
        by_part = dx.reshape(self.lhs_parts, self.rhs_parts, self.whole.groups, *dx.shape[1:]).sum(1)
        return _conjugate([self.whole.lhs_cotangent(part) for part in by_part])

    def rhs_cotangent(self, dw: Num[Array, "groups k n"]) -> Array:
        by_part = dw.reshape(self.lhs_parts, self.rhs_parts, self.whole.groups, *dw.shape[1:]).sum(0)
        return _conjugate([self.whole.rhs_cotangent(part) for part in by_part])

    @property
    def _pairs(self) -> list[tuple[int, ...]]:
        """Of lhs and of rhs: 0 for the real part, 1 for the imaginary one."""
        return list(itertools.product(range(self.lhs_parts), range(self.rhs_parts)))


def _parts(values: Array, count: int) -> Sequence[Array]:
    # Derivatives have real operands as complex numbers, at times.
    return (values.real, values.imag) if count == 2 else (values.real,)


def _conjugate(parts: Sequence[Array]) -> Array:
    """Parts' cotangents as the cotangent of what they are the parts of."""
    return lax.complex(parts[0], -parts[1]) if len(parts) == 2 else parts[0]
