"""Activation words that a training step keeps from its forward to its backward pass, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from jaxgrad.array.gemm import Gemm
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators.base import Estimator
from jaxgrad.autodiff.estimators.description import describe
from jaxgrad.autodiff.estimators.exact import EXACT
from jaxgrad.base.errors import InputError, shown
from jaxgrad.programs import LayerGemm


class StoredWords(NamedTuple):
    """Stored activation words.

    Args:
        layers: of each layer, by path, all its calls together.
    """

    layers: dict[str, int]

    @property
    def total(self) -> int:
        """Of the whole step: what is held as the backward pass begins."""
        return sum(self.layers.values())

    @property
    def peak(self) -> int:
        """Of the layer that keeps most."""
        return max(self.layers.values(), default=0)


def stored_words(
    records: Iterable[LayerGemm], estimator: Estimator | Callable[[str], Estimator] = EXACT
) -> StoredWords:
    """What the layers of a step keep for their gradients. What ``jax.checkpoint`` makes anew counts as kept.

    Args:
        records: of a step, as ``step_gemms`` has them.
        estimator: of all of them, or of each by its path, as ``transform.Rules.estimator`` tells.

    Raises:
        ValueError: a convolution's estimator keeps something else than x, which a record's sizes do not tell; for one
            layer, ``describe`` tells it of the contraction itself.

    >>> stored_words([LayerGemm("conv", Gemm(18, 12, 2), 1, needs_dx=False, x_words=72)]).total
    72
    """
    layers: dict[str, int] = {}
    for record in records:
        of_layer = estimator if isinstance(estimator, Estimator) else estimator(record.path)
        layers[record.path] = layers.get(record.path, 0) + record.times * _words(record, of_layer)
    return StoredWords(layers)


def _words(record: LayerGemm, estimator: Estimator) -> int:
    """Of one GEMM. Where w is activations too, as in attention, dX needs it kept."""
    gemm, wanted = record.gemm, {"dx": record.needs_dx, "dw": record.needs_dw}
    words = describe(estimator, _matrices(gemm), **wanted).stored_words
    if record.x_words and words:
        if words != gemm.batch * gemm.in_features:
            raise InputError(
                "estimator",
                estimator,
                "call describe with its contraction",
                problem=f"got {shown(estimator)} for {record.path}, of which only sizes are known",
            )
        words = record.x_words
    return words + (gemm.in_features * gemm.out_features if record.needs_dx and not record.weights else 0)


def _matrices(gemm: Gemm) -> DotGeneral:
    axes = ((), (0,), (1,)), ((), (1,), (0,))
    return DotGeneral(*axes, (gemm.batch, gemm.in_features), (gemm.in_features, gemm.out_features), None, None)
