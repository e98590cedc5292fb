"""Estimators of the tests' own: what the seam must carry without knowing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import EXACT, Estimator, Saved
from jaxgrad.autodiff.layer import Layer

Parts = tuple[Array | None, Array | None]


@dataclass(frozen=True)
class Columns(Estimator):
    """Keeps some columns of x, of a convolution some channels, drawn without replacement and scaled up for dW.

    Of x's last axis, which is the last but one of w. The kept columns' dW shares dY with as many columns of dX; the
    rest of dX runs alone.
    """

    keep: int

    @property
    def random(self) -> bool:
        return True

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        out, _ = layer.product(layer.contraction, lhs, rhs)
        if not layer.dw:
            return out, Saved(rest=(rhs, None))
        assert key is not None
        chosen = jax.random.permutation(key, lhs.shape[-1])[: self.keep]
        return out, Saved(lhs[..., chosen], (rhs if layer.dx else None, chosen))

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> Parts:
        columns, keep = layer.lhs.shape[-1], self.keep
        rhs, chosen = saved.rest
        if not layer.dw:
            return layer.gradients(layer.contraction, layer.lhs, rhs, cotangent, dx=layer.dx, dw=False)
        head, tail = with_columns(layer.contraction, keep), with_columns(layer.contraction, columns - keep)
        weights = rhs[..., :keep, :] if layer.dx else struct(head.rhs_shape)
        dlhs, own = layer.gradients(head, saved.activations, weights, cotangent, dx=layer.dx, dw=True)
        assert own is not None
        if dlhs is not None:
            rest, _ = layer.gradients(tail, struct(tail.lhs_shape), rhs[..., keep:, :], cotangent, dx=True, dw=False)
            assert rest is not None
            dlhs = jnp.concatenate([dlhs, rest], -1)
        return dlhs, jnp.zeros(layer.rhs.shape).at[..., chosen, :].set(own * (columns / keep))


@dataclass(frozen=True)
class First(Estimator):
    """Keeps the first columns of x, and leaves the other rows of dW zero."""

    columns: int

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        out, _ = layer.product(layer.contraction, lhs, rhs)
        return out, Saved(lhs[..., : self.columns] if layer.dw else None, rhs)

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> Parts:
        lhs = saved.activations if layer.dw else layer.lhs
        dlhs, own = layer.gradients(
            layer.contraction, lhs, saved.rest, cotangent, dx=layer.dx, dw=layer.dw, columns=self.columns
        )
        drhs = None if own is None else jnp.zeros(layer.rhs.shape).at[..., : self.columns, :].set(own)
        return dlhs, drhs


@dataclass(frozen=True)
class Sketch(Estimator):
    """Keeps ``c = x R`` with R random signs, of so many columns, and takes dW for ``R (c^T dY)``; of matrices alone.

    It poses three GEMMs that are none of the layer's.
    """

    columns: int

    @property
    def random(self) -> bool:
        return True

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        out, _ = layer.product(layer.contraction, lhs, rhs)
        if not layer.dw:
            return out, Saved(rest=(rhs, None))
        signs = self._signs(key, lhs.shape[1])
        kept, _ = layer.product(matrices(layer, lhs.shape, signs.shape), lhs, signs)
        return out, Saved(kept, (rhs if layer.dx else None, key))

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> Parts:
        rhs, key = saved.rest
        dlhs, _ = (
            layer.gradients(layer.contraction, layer.lhs, rhs, cotangent, dx=True, dw=False)
            if layer.dx
            else (None, None)
        )
        if not layer.dw:
            return dlhs, None
        signs, kept = self._signs(key, layer.lhs.shape[1]), saved.activations
        small = (self.columns, cotangent.shape[1])
        _, own = layer.gradients(matrices(layer, kept.shape, small), kept, struct(small), cotangent, dx=False, dw=True)
        assert own is not None
        drhs, _ = layer.product(matrices(layer, signs.shape, small), signs, own)
        return dlhs, drhs

    def _signs(self, key: Any, rows: int) -> Array:
        return jax.random.rademacher(key, (rows, self.columns), jnp.float32) / self.columns**0.5


@dataclass(frozen=True)
class OneBit(Estimator):
    """Weights of one bit and a scale, ``sign(w) mean|w|``: the array multiplies signs. Straight through for dW, but not
    where ``|w| > clip``: a flag a weight."""

    clip: float
    of: Estimator = EXACT

    @property
    def random(self) -> bool:
        return self.of.random

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        scale = jnp.abs(rhs).mean()
        out, saved = self.of.forward(layer, lhs, jnp.where(rhs < 0, -1.0, 1.0), key)
        return out * scale, Saved(saved.activations, (saved.rest, scale, jnp.abs(rhs) <= self.clip))

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> Parts:
        rest, scale, passes = saved.rest
        dlhs, drhs = self.of.backward(layer, Saved(saved.activations, rest), cotangent)
        return None if dlhs is None else dlhs * scale, None if drhs is None else drhs * passes


@dataclass(frozen=True)
class Flags(Estimator):
    """Keeps a flag an element of x, and knows x by it: for x of zeros and ones."""

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        out, _ = layer.product(layer.contraction, lhs, rhs)
        return out, Saved(lhs != 0, rhs)

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> Parts:
        lhs = saved.activations.astype(layer.lhs.dtype)
        return layer.gradients(layer.contraction, lhs, saved.rest, cotangent, dx=layer.dx, dw=layer.dw)


def with_columns(contraction: Any, columns: int) -> Any:
    """A product of matrices of so many columns of x, or a convolution of so many channels."""
    if isinstance(contraction, ConvGeneralDilated):
        return replace(contraction, convolution=replace(contraction.convolution, in_channels=columns))
    assert isinstance(contraction, DotGeneral)
    return replace(
        contraction,
        lhs_shape=(*contraction.lhs_shape[:-1], columns),
        rhs_shape=(columns, *contraction.rhs_shape[1:]),
    )


def matrices(layer: Layer, lhs: tuple[int, ...], rhs: tuple[int, ...]) -> DotGeneral:
    """A product of matrices of these shapes, as the layer's own is one."""
    assert isinstance(layer.contraction, DotGeneral)
    return replace(layer.contraction, lhs_shape=lhs, rhs_shape=rhs)


def struct(shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)
