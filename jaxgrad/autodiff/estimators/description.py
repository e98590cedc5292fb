"""What an estimator asks of the array for a layer, read off its own code: no data, no arithmetic."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxgrad.array.counters import total
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.estimators.base import Codes, Estimator, Saved
from jaxgrad.autodiff.layer import GemmRun, Layer, Wanted, update_apart
from jaxgrad.autodiff.taps import LayerCounters
from jaxgrad.hardware import Accelerator

_WORD_BITS = 32


@dataclass(frozen=True)
class Description:
    """What one call of a layer takes.

    Args:
        contraction: the layer's.
        dw: whether the weights' gradient is wanted.
        forward, backward: the GEMMs that run on the array, in order.
        stored_words: words of activations kept from the forward to the backward pass; flags (bools) take a bit each,
            codes their bits.
    """

    contraction: Contraction
    dw: bool
    forward: tuple[GemmRun, ...]
    backward: tuple[GemmRun, ...]
    stored_words: int

    def count(self, emulation: Emulation) -> LayerCounters:
        """The counters in closed form: what a tap tells of data of that shape without zeros."""
        apart = update_apart(self.backward, self.contraction, emulation, dw=self.dw)
        return LayerCounters(
            total([run.count(emulation) for run in self.forward]),
            total([run.count(emulation) for run in self.backward]) + apart,
        )


@functools.cache
def describe(estimator: Estimator, contraction: Contraction, *, dx: bool = True, dw: bool = True) -> Description:
    """What an estimator asks of the array for a contraction, by which gradients are wanted; its parameters are trained
    with the weights."""
    dx |= dw and bool(estimator.parameters)
    operands = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (contraction.lhs_shape, contraction.rhs_shape)]
    passes: list[Layer] = []

    def layer() -> Layer:
        # Any array: nothing runs, and no counts are asked for.
        wanted = Wanted(*operands, dx=dx, dw=dw)
        passes.append(Layer(contraction, Emulation(Accelerator(1, 1)), wanted, estimator.parameters))
        return passes[-1]

    def both(lhs: Array, rhs: Array) -> Any:
        out, saved = estimator.forward(layer(), lhs, rhs, jax.random.key(0))
        if dx or dw:
            estimator.backward(layer(), saved, out)
        return _arrays(saved)

    kept: list[Any] = jax.eval_shape(both, *operands)
    forward, *backward = (tuple(layer.runs) for layer in passes)
    return Description(contraction, dw, forward, backward[0] if backward else (), sum(map(_words, kept)))


def _arrays(saved: Saved) -> list[Any]:
    leaves = jax.tree.leaves(saved.activations, is_leaf=lambda leaf: isinstance(leaf, Codes))
    return [leaf for leaf in leaves if isinstance(leaf, Array | Codes)]


def _words(kept: Any) -> int:
    values, bits = (kept.values, kept.bits) if isinstance(kept, Codes) else (kept, _WORD_BITS)
    return -(-math.prod(values.shape) * (1 if values.dtype == jnp.bool_ else bits) // _WORD_BITS)
