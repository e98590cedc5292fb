"""Randomized automatic differentiation: a layer keeps a small random part, or sketch, of its input for dW.

Oktay et al., "Randomized Automatic Differentiation", ICLR 2021 (arXiv 2007.10412).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxgrad.autodiff.contraction import Contraction, check_floats
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import native, rad_convolution, rad_dense
from jaxgrad.autodiff.estimators.base import Estimator, Saved
from jaxgrad.autodiff.estimators.exact import EXACT
from jaxgrad.autodiff.layer import Layer
from jaxgrad.autodiff.transposed import ConvTransposed
from jaxgrad.base.errors import InputError, one_of, share, shown

MODES = ("project", "same", "different")


@dataclass(frozen=True)
class Rad(Estimator):
    """The product and dX exactly, and an unbiased dW of ``k = ceil(keep d)`` values of x where there are d.

    Of a product of matrices d is x's columns, and k values of each row are kept. Of a convolution it is the pixels, and
    k values of each channel of each image are kept. Where k is d, nothing is drawn: it is exact.

    - ``same``: k indices, drawn with replacement, the same for all rows (images and channels); what they give, times
      d/k. The variance, ``E|dW' - dW|^2``, of a product of matrices is ``(d-1)/k |dW|^2``.
    - ``different``: k indices for each row (each channel of each image) by itself: ``(d-1)/k sum_b |x_b|^2 |dy_b|^2``.
    - ``project``: ``x R``, R of d x k random signs over sqrt(k), the same for all rows: variance as of ``same``.

    Args:
        keep: the share that is kept, above 0 and at most 1.
        mode: one of ``MODES``.

    Raises:
        ValueError: it is neither.
    """

    keep: float
    mode: str

    def __post_init__(self) -> None:
        share("keep", self.keep)
        one_of("mode", self.mode, MODES)

    @property
    def random(self) -> bool:
        return self.keep < 1

    @property
    def of_weights(self) -> bool:
        return self.keep < 1

    def matmul(self, x: ArrayLike, w: ArrayLike, key: Array) -> Array:
        """``x @ w``, its gradients those of this estimator, without an array.

        Args:
            x: floats of shape (..., d); the leading axes are rows.
            w: floats of shape (d, n).
            key: as of ``jax.random.key``; another one each call.

        Raises:
            ValueError: the operands do not go together, or are not of floats.

        >>> import jax
        >>> x, w, estimator = jnp.ones((4, 8)), jnp.ones((8, 2)), rad(0.5, "same")
        >>> dw = jax.grad(lambda w: estimator.matmul(x, w, jax.random.key(0)).sum())(w)
        >>> float(dw.mean())  # of the exact gradient, 4: half of the rows, or fewer, and as much more in those
        4.0
        """
        x, w = jnp.asarray(x), jnp.asarray(w)
        check_floats(x, w)
        if x.ndim < 1 or w.ndim != 2 or x.shape[-1] != w.shape[0]:
            problem = f"got shape {w.shape} for x of shape {x.shape}"
            raise InputError("w", w.shape, "give x as (..., d) and w as (d, n)", problem=problem)
        contraction = DotGeneral.of(x, w, (((x.ndim - 1,), (0,)), ((), ())))
        return native.product(self, contraction, x, w, key)

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        kept = self._kept(layer.contraction)
        if kept is None:
            return EXACT.forward(layer, lhs, rhs, key)
        out, _ = layer.product(layer.contraction, lhs, rhs)
        weights = rhs if layer.dx else None
        if not layer.dw:
            return out, Saved(rest=(weights, None))
        assert key is not None
        contraction = layer.contraction
        if isinstance(contraction, DotGeneral):
            activations = rad_dense.keep(contraction, layer, lhs, key, kept, self.mode)
        else:
            assert isinstance(contraction, ConvGeneralDilated | ConvTransposed)
            activations = rad_convolution.keep(contraction, layer, lhs, key, kept, self.mode)
        return out, Saved(activations, (weights, key))

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> tuple[Array | None, Array | None]:
        contraction = layer.contraction
        if self._kept(contraction) is None:
            return EXACT.backward(layer, saved, cotangent)
        weights, key = saved.rest
        if not layer.dw:
            return layer.gradients(contraction, layer.lhs, weights, cotangent, dx=layer.dx, dw=False)
        if isinstance(contraction, DotGeneral):
            return rad_dense.gradients(contraction, layer, saved.activations, weights, key, cotangent, self.mode)
        assert isinstance(contraction, ConvGeneralDilated | ConvTransposed)
        return rad_convolution.gradients(contraction, layer, saved.activations, weights, key, cotangent, self.mode)

    def _kept(self, contraction: Contraction) -> int | None:
        """How many values are kept of those along the axis that is sampled; None where it is all."""
        if isinstance(contraction, DotGeneral):
            size = contraction.gemm.in_features
        elif isinstance(contraction, ConvGeneralDilated | ConvTransposed):
            size = rad_convolution.sites(contraction)
        else:
            problem = f"got {shown(self)} for a product of complex numbers"
            raise InputError("estimator", self, "give it products of real numbers alone", problem=problem)
        kept = math.ceil(Fraction(str(self.keep)) * size)  # of the decimal number: .07 of 100 is 7
        return kept if kept < size else None


def rad(keep: float, mode: str) -> Rad:
    """``Rad``: randomized automatic differentiation.

    >>> rad(0.1, "same")
    Rad(keep=0.1, mode='same')
    """
    return Rad(keep, mode)
