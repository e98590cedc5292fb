"""An estimator that quantises a layer's operands: the array multiplies integer codes, scales are applied beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgrad.autodiff.estimators import EXACT, Codes, Estimator, OfAnother, Saved
from jaxgrad.autodiff.layer import Layer
from jaxgrad.base.errors import InputError, few_bits
from jaxgrad.quantization import coarse
from jaxgrad.quantization.activations import activation_codes, initial_resolution
from jaxgrad.quantization.coarse import Coarse
from jaxgrad.quantization.weights import project

RESOLUTION = "resolution"


class _Kept(NamedTuple):
    """Activations that are kept.

    Args:
        inner: by the other estimator.
        stairs: what the coarse derivatives ask of the codes of x: the codes, or flags of those above zero; None where
            ``inner`` is the codes.
        beyond: flags of the inputs beyond the last level, where they ask for them.
    """

    inner: Any
    stairs: Any = None
    beyond: Array | None = None


@dataclass(frozen=True)
class Quantized(OfAnother):
    """Another estimator's product and gradients, of x and w in a few bits; see ``quantized``.

    With ``x_q = a c_x`` and ``w_q = s c_w``, codes c, the product is ``a s (c_x c_w)``. Of the cotangent dY,
    ``dX_q = s (dY c_w^T)``, from which come dX and the resolution's, each by its coarse derivative, and
    ``dW = a (c_x^T dY)``, straight through. The layer's x is below zero nowhere, or what is becomes zero.
    """

    weights: int | None
    activations: int | None
    by_input: Coarse
    by_resolution: Coarse
    of: Estimator

    def __post_init__(self) -> None:
        for field in ("weights", "activations"):
            if getattr(self, field) is not None:
                few_bits(field, getattr(self, field))
        if not isinstance(self.of, Estimator):
            raise InputError("of", self.of, "give an estimator, such as EXACT")

    @property
    def parameters(self) -> Mapping[str, np.ndarray]:
        if self.activations is None:
            return super().parameters
        return {**super().parameters, RESOLUTION: np.asarray(initial_resolution(self.activations), np.float32)}

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        if jnp.issubdtype(jnp.result_type(lhs, rhs), jnp.complexfloating):
            remedy = "it quantises real numbers: put Rule(label, emulation) before the others"
            raise InputError("estimator", self, remedy)
        x, w, beyond, resolution, scale = lhs, rhs, None, None, None
        if self.activations is not None:
            resolution = layer.parameters[RESOLUTION]
            x, beyond = activation_codes(lhs, resolution, self.activations)
        if self.weights is not None:
            w, scale = project(rhs, self.weights)
        out, saved = self.of.forward(layer, x, w, key)
        dtype = jax.eval_shape(layer.contraction.plain, layer.lhs, layer.rhs).dtype
        kept = _Kept(jax.tree.map(self._coded, saved.activations))
        if self.activations is not None and layer.dx:
            stairs = None if saved.activations is x else self._stairs(x)
            kept = kept._replace(stairs=stairs, beyond=beyond if self._saturates else None)
        return _scaled(out, resolution, scale).astype(dtype), Saved(kept, (saved.rest, resolution, scale))

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> tuple[Array | None, Array | None]:
        kept, (rest, resolution, scale) = saved.activations, saved.rest
        inner = jax.tree.map(_values, kept.inner, is_leaf=_coded)
        dlhs, drhs = self.of.backward(layer, Saved(inner, rest), cotangent)
        drhs = None if drhs is None else _scaled(drhs, resolution)
        if dlhs is None:
            return None, drhs
        dlhs = _scaled(dlhs, scale)
        if self.activations is None:
            return dlhs, drhs
        stairs = inner if kept.stairs is None else _values(kept.stairs)
        by_input, by_resolution = (
            record.factor(stairs, kept.beyond, self.activations) for record in (self.by_input, self.by_resolution)
        )
        layer.cotangents[RESOLUTION] = (dlhs * by_resolution).sum()
        return dlhs * by_input, drhs

    @property
    def _saturates(self) -> bool:
        return self.by_input.saturates or self.by_resolution.saturates

    def _stairs(self, codes: Array) -> Any:
        levels = self.by_input.levels or self.by_resolution.levels
        return self._coded(codes) if levels else codes > 0

    def _coded(self, leaf: Array) -> Any:
        return Codes(leaf, self.activations) if self.activations and leaf.dtype == jnp.uint8 else leaf


def quantized(
    weights: int | None = 1,
    activations: int | None = 4,
    *,
    by_input: str | Coarse = coarse.CLIPPED_RELU,
    by_resolution: str | Coarse = coarse.THREE_VALUED,
    of: Estimator = EXACT,
) -> Quantized:
    """An estimator that quantises a layer's operands where the layer reads them (arXiv 1808.05240).

    Each layer that has it has a parameter of its own, the resolution of its activations: a ``jaxgrad.flax.Learned`` of
    an NNX model on the array; of ``emulate_function`` one of ``parameters``. Weights stay floats outside; ``blended``
    draws them to what the layer reads.

    >>> quantized(1, 4).parameters["resolution"].item().__round__(4)
    0.1946

    Args:
        weights: bits of w, see ``project``; None leaves it as it is.
        activations: bits of x, see ``activation_codes``; None leaves it as it is.
        by_input: the coarse derivative of x, one of ``coarse.BY_INPUT``.
        by_resolution: that of the resolution, one of ``coarse.BY_RESOLUTION``.
        of: how the product of codes and its gradients are computed.

    Raises:
        InputError: bits out of 1 to 8, or an unknown coarse derivative.
    """
    return Quantized(weights, activations, coarse.find_by_input(by_input), coarse.find_by_resolution(by_resolution), of)


def _coded(leaf: Any) -> bool:
    return isinstance(leaf, Codes)


def _values(leaf: Any) -> Any:
    """As floats: what multiplies codes, such as how often one was drawn, would not fit a byte."""
    return leaf.values.astype(jnp.float32) if isinstance(leaf, Codes) else leaf


def _scaled(values: Array, *scales: Array | None) -> Array:
    """In the type that sums have."""
    for scale in scales:
        if scale is not None:
            values = values * scale
    return values
