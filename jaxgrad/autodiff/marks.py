"""A contraction that says in a trace what it is, for ``workload`` to read; it counts nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
from jax import Array

from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.programs import Mark, Phase


@dataclass(frozen=True)
class Site:
    """The static argument of ``contract``: what to compute, and for which layer."""

    contraction: Contraction
    path: str

    @property
    def mark(self) -> Mark:
        gemm = self.contraction.gemm
        sizes = (gemm.batch, gemm.in_features, gemm.out_features)
        return Mark(self.path, self.contraction.kind, sizes, self.contraction.groups, self.contraction.x_words)


def contract(site: Site, lhs: Array, rhs: Array) -> Array:
    """``site.contraction`` of ``lhs`` and ``rhs``, named."""
    return _contract(site, lhs, rhs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _contract(site: Site, lhs: Array, rhs: Array) -> Array:
    return _named(site.mark, "forward", _size(site), site.contraction.plain, lhs, rhs)


def _forward(site: Site, lhs: Any, rhs: Any) -> tuple[Array, tuple[Mark, Array, Array]]:
    mark = replace(site.mark, dx=lhs.perturbed, dw=rhs.perturbed)
    out = _named(mark, "forward", _size(site), site.contraction.plain, lhs.value, rhs.value)
    return out, (mark, lhs.value, rhs.value)


def _backward(site: Site, residuals: tuple[Mark, Array, Array], cotangent: Any) -> tuple[Array | None, Array | None]:
    mark, lhs, rhs = residuals
    plain = site.contraction.plain

    def dx(rhs: Array, cotangent: Array) -> Array:
        return jax.linear_transpose(lambda lhs: plain(lhs, rhs), lhs)(cotangent)[0]

    def dw(lhs: Array, cotangent: Array) -> Array:
        return jax.linear_transpose(lambda rhs: plain(lhs, rhs), rhs)(cotangent)[0]

    return (
        _named(mark, "dx", lhs.size, dx, rhs, cotangent) if mark.dx else None,
        _named(mark, "dw", rhs.size, dw, lhs, cotangent) if mark.dw else None,
    )


_contract.defvjp(_forward, _backward, symbolic_zeros=True)


def _size(site: Site) -> int:
    """Elements of the product."""
    gemm = site.contraction.gemm
    return gemm.batch * gemm.out_features * site.contraction.groups


def _named(mark: Mark, phase: Phase, size: int, product: Callable[..., Array], *operands: Array) -> Array:
    def named(*operands: Array) -> Array:
        return product(*operands)

    named.__name__ = mark.name(phase, size)
    return jax.jit(named)(*operands)
