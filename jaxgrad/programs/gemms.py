"""What a training step asks of the array: the record of one layer's GEMMs."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxgrad.array.convolution import Convolution
from jaxgrad.array.gemm import Gemm


@dataclass(frozen=True)
class LayerGemm:
    """GEMMs of one shape that a layer poses in a training step.

    A layer has several of these where it is called on different shapes, or on the network's input too.

    >>> LayerGemm("conv1", Gemm(18, 12, 2), times=1, needs_dx=False, x_words=72).input_words
    72

    Args:
        path: the layer's place in the model.
        gemm: the shape; for a grouped convolution, of one group.
        times: GEMMs of that shape a step: groups, times calls.
        needs_dx: whether the input's gradient is wanted; not at the network's input.
        needs_dw: whether the weights' gradient is wanted; not where they are frozen.
        kind: name of the operation.
        recomputed: forward GEMMs a step beyond ``times``, which ``jax.checkpoint`` runs for the backward pass.
        x_words: elements of X before it is lowered, for one of these GEMMs: a convolution's input feature map (of one
            group), whose patches overlap. 0 where X is the GEMM's own, as of a dense layer.
        weights: whether W is weights, which an update changes; not where it is activations too, as in attention.
        convolution: of a convolution its geometry, which says what an estimator of its gradients asks for; sizes alone
            tell records apart. None too where it is transposed, has groups of its batch, or is of complex numbers.
    """

    path: str
    gemm: Gemm
    times: int
    needs_dx: bool
    needs_dw: bool = True
    kind: str = "dot_general"
    recomputed: int = 0
    x_words: int = 0
    weights: bool = True
    convolution: Convolution | None = field(default=None, compare=False)

    @property
    def input_words(self) -> int:
        """Elements of X as it lies in memory, for one of these GEMMs."""
        return self.x_words or self.gemm.batch * self.gemm.in_features
