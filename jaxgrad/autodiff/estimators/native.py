"""A product with an estimator's gradients by XLA alone: no array, and nothing counted."""

from __future__ import annotations

import functools
from typing import Any

import jax
from jax import Array

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.estimators.base import Estimator, Saved
from jaxgrad.autodiff.layer import Layer, Wanted
from jaxgrad.hardware import Accelerator

_ANY = Emulation(Accelerator(1, 1))  # at native fidelity an array does not change what is computed


def product(estimator: Estimator, contraction: Contraction, lhs: Array, rhs: Array, key: Array | None) -> Array:
    """The contraction of ``lhs`` and ``rhs``."""
    return _product(estimator, contraction, *vary_alike(lhs, rhs), key)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _product(estimator: Estimator, contraction: Contraction, lhs: Array, rhs: Array, key: Array | None) -> Array:
    return estimator.forward(Layer(contraction, _ANY, Wanted.of(lhs, rhs)), lhs, rhs, key)[0]


def _forward(
    estimator: Estimator, contraction: Contraction, lhs: Any, rhs: Any, key: Any
) -> tuple[Array, tuple[Wanted, Saved]]:
    wanted = Wanted.of(lhs.value, rhs.value, dx=lhs.perturbed, dw=rhs.perturbed)
    key = None if key is None else key.value
    out, saved = estimator.forward(Layer(contraction, _ANY, wanted), lhs.value, rhs.value, key)
    return out, (wanted, saved)


def _backward(
    estimator: Estimator, contraction: Contraction, residuals: tuple[Wanted, Saved], cotangent: Array
) -> tuple[Array | None, ...]:
    wanted, saved = residuals
    dlhs, drhs = estimator.backward(Layer(contraction, _ANY, wanted), saved, cotangent)
    dlhs = None if dlhs is None else dlhs.astype(wanted.lhs.dtype)
    drhs = None if drhs is None else drhs.astype(wanted.rhs.dtype)
    return *vary_alike(cotangent, dlhs, drhs)[1:], None


_product.defvjp(_forward, _backward, symbolic_zeros=True)
