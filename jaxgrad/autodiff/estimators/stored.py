"""Activation words that a training step keeps from its forward to its backward pass, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxgrad.autodiff.estimators.asked import Estimators, of_record
from jaxgrad.autodiff.estimators.exact import EXACT
from jaxgrad.programs import LayerGemm, ReluMask


class StoredWords(NamedTuple):
    """Stored activation words.

    Args:
        layers: of each layer, by path, all its calls together.
        masks: of the ReLUs that each module computes, by its path: a bit an element.
    """

    layers: Mapping[str, int] = MappingProxyType({})
    masks: Mapping[str, int] = MappingProxyType({})

    @property
    def total(self) -> int:
        """Of the whole step: what is held as the backward pass begins."""
        return sum(self.layers.values()) + sum(self.masks.values())

    @property
    def peak(self) -> int:
        """Of the layer that keeps most."""
        return max(self.layers.values(), default=0)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"total": self.total, "peak": self.peak, "layers": dict(self.layers), "relu_masks": dict(self.masks)}


def stored_words(
    records: Iterable[LayerGemm],
    estimator: Estimators = EXACT,
    masks: Iterable[ReluMask] = (),
) -> StoredWords:
    """What the layers of a step and its ReLUs keep for their gradients.

    What ``jax.checkpoint`` makes anew counts as kept, and what several layers read counts for each. What other work
    beside the array keeps (norms, max pooling, other nonlinearities, the loss) does not count.

    Args:
        records: of a step, as ``step_gemms`` has them.
        estimator: of all of them, or of each by its path, as ``transform.Rules.estimator`` tells.
        masks: of its ReLUs, as ``step_gemms_and_masks`` has them; no estimator changes them.

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
    of_modules: dict[str, int] = {}
    for mask in masks:
        of_modules[mask.path] = of_modules.get(mask.path, 0) + mask.words
    return StoredWords(layers, of_modules)


def _words(record: LayerGemm, estimator: Estimators) -> int:
    """Of all its GEMMs. Where w is activations too, as in attention, dX needs it kept."""
    told, gemm = of_record(record, estimator), record.gemm
    words = told.stored_words * record.times // told.contraction.groups
    if words and record.x_words and record.convolution is None:
        words = record.times * record.x_words
    kept = record.times * gemm.in_features * gemm.out_features
    return words + (kept if record.needs_dx and not record.weights else 0)
