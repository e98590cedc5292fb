"""The exact estimator: keeps x, and computes both gradients of it."""

from __future__ import annotations

from dataclasses import dataclass

from jax import Array

from jaxgrad.autodiff.estimators.base import Estimator, Saved
from jaxgrad.autodiff.layer import Layer


@dataclass(frozen=True)
class Exact(Estimator):
    """``dX = dY w^T`` and ``dW = x^T dY``, by the emulation's schedule."""

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        out, live = layer.product(layer.contraction, lhs, rhs)
        return out, Saved(lhs if layer.dw else None, (rhs if layer.dx else None, live if layer.dw else None))

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> tuple[Array | None, Array | None]:
        rhs, live = saved.rest
        lhs, rhs = saved.activations if layer.dw else layer.lhs, rhs if layer.dx else layer.rhs
        return layer.gradients(layer.contraction, lhs, rhs, cotangent, dx=layer.dx, dw=layer.dw, live=live)


EXACT = Exact()
