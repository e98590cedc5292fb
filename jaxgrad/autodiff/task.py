"""What a rule is to compute, on what and by which estimator: its static argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jax import Array

from jaxgrad.array.counters import Counters
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.estimators.base import Estimator, Saved
from jaxgrad.autodiff.estimators.exact import EXACT
from jaxgrad.autodiff.estimators.rounded import rounded
from jaxgrad.autodiff.layer import Layer, Wanted, update_apart


class Forward(NamedTuple):
    """A forward pass: its product, what it keeps, and what it took, where someone asks."""

    out: Array
    saved: Saved
    counters: Counters | None


class Backward(NamedTuple):
    """A backward pass: the gradients that are wanted, what they took, where someone asks, and the cotangents of the
    estimator's parameters."""

    dlhs: Array | None
    drhs: Array | None
    counters: Counters | None
    cotangents: Mapping[str, Array]


@dataclass(frozen=True)
class Task:
    """What to compute, on what and how; static, so that it can be a rule's argument.

    Args:
        contraction: what to compute.
        emulation: on what, and how; its ``precision`` rounds the estimator's operands and results.
        runs: how often the forward product runs for each backward pass.
        estimator: how the product and its gradients are computed.
    """

    contraction: Contraction
    emulation: Emulation
    runs: int = 1
    estimator: Estimator = EXACT

    def product(
        self,
        lhs: Array,
        rhs: Array,
        key: Array | None,
        wanted: Wanted,
        parameters: Mapping[str, Array] | None = None,
    ) -> Forward:
        """The product, kept for the gradients that are wanted; ``parameters`` are the estimator's."""
        layer = Layer(self.contraction, self.emulation, wanted, parameters)
        out, saved = self._estimator.forward(layer, lhs, rhs, key)
        return Forward(out, saved, layer.spent)

    def gradients(self, saved: Saved, cotangent: Array, wanted: Wanted) -> Backward:
        """The gradients that are wanted, in the operands' types or that of the array's sums."""
        layer = Layer(self.contraction, self.emulation, wanted)
        dlhs, drhs = self._estimator.backward(layer, saved, cotangent)
        spent = layer.spent
        if spent is not None:
            spent += update_apart(layer.runs, self.contraction, self.emulation, dw=wanted.dw)
        return Backward(dlhs, drhs, spent, layer.cotangents)

    @property
    def _estimator(self) -> Estimator:
        precision = self.emulation.precision
        return self.estimator if precision is None else rounded(precision, self.estimator)
