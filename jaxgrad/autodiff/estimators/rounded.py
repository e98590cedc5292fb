"""Rounding to number formats: operands as they enter the array, results as they leave it."""

from __future__ import annotations

from dataclasses import dataclass

from jax import Array

from jaxgrad.array.rounding import check_computes
from jaxgrad.array.rounding import rounded as in_format
from jaxgrad.autodiff.estimators.base import Estimator, OfAnother, Saved
from jaxgrad.autodiff.estimators.exact import EXACT
from jaxgrad.autodiff.layer import Layer
from jaxgrad.hardware import Precision


@dataclass(frozen=True)
class Rounded(OfAnother):
    """Another estimator's product and gradients, of x, w and dY rounded to their formats; y, dX and dW are rounded too.

    What is kept is made of the rounded operands. It is what ``Emulation.precision`` asks of the rules.

    Args:
        precision: the format of each tensor; sums are kept in fp32.
        of: the other one.

    Raises:
        ValueError: a format is for costs alone.
    """

    precision: Precision
    of: Estimator = EXACT

    def __post_init__(self) -> None:
        check_computes(self.precision)

    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        x, w = in_format("x", lhs, self.precision), in_format("w", rhs, self.precision)
        out, saved = self.of.forward(layer, x, w, key)
        return in_format("y", out, self.precision), saved

    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> tuple[Array | None, Array | None]:
        dlhs, drhs = self.of.backward(layer, saved, in_format("dy", cotangent, self.precision))
        return (
            None if dlhs is None else in_format("dx", dlhs, self.precision),
            None if drhs is None else in_format("dw", drhs, self.precision),
        )


def rounded(precision: Precision, of: Estimator = EXACT) -> Rounded:
    """``Rounded``: an estimator in some number formats."""
    return Rounded(precision, of)
