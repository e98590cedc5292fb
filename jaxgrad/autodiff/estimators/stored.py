"""Activation words that a training step keeps from its forward to its backward pass, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jaxgrad.autodiff.estimators.asked import Estimators, of_record
from jaxgrad.autodiff.estimators.exact import EXACT
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


def stored_words(records: Iterable[LayerGemm], estimator: Estimators = EXACT) -> StoredWords:
    """What the layers of a step keep for their gradients. What ``jax.checkpoint`` makes anew counts as kept.

    Args:
        records: of a step, as ``step_gemms`` has them.
        estimator: of all of them, or of each by its path, as ``transform.Rules.estimator`` tells.

    Raises:
        ValueError: a convolution's estimator keeps something else than x, and its record has no geometry; for one
            layer, ``describe`` tells it of the contraction itself.

    >>> from jaxgrad import Gemm
    >>> stored_words([LayerGemm("conv", Gemm(18, 12, 2), 1, needs_dx=False, x_words=72)]).total
    72
    """
    layers: dict[str, int] = {}
    for record in records:
        layers[record.path] = layers.get(record.path, 0) + _words(record, estimator)
    return StoredWords(layers)


def _words(record: LayerGemm, estimator: Estimators) -> int:
    """Of all its GEMMs. Where w is activations too, as in attention, dX needs it kept."""
    told, gemm = of_record(record, estimator), record.gemm
    words = told.stored_words * record.times // told.contraction.groups
    if words and record.x_words and record.convolution is None:
        words = record.times * record.x_words
    kept = record.times * gemm.in_features * gemm.out_features
    return words + (kept if record.needs_dx and not record.weights else 0)
