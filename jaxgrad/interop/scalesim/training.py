"""The GEMMs of a training step as SCALE-Sim poses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from jaxgrad.interop.scalesim.layers import Product

if TYPE_CHECKING:
    from jaxgrad.programs import LayerGemm

Phase = Literal["forward", "dx", "dw"]
PHASES: tuple[Phase, ...] = ("forward", "dx", "dw")


def products(layers: Iterable[LayerGemm], phase: Phase) -> list[tuple[str, Product]]:
    """The name and the GEMM of each product of one phase, as often as a step has it: SCALE-Sim's files know no number.

        forward   Y = X W       M = batch, N = out_features, K = in_features
        dx        dX = dY W^T   M = batch, N = in_features,  K = out_features
        dw        dW = X^T dY   M = in_features, N = out_features, K = batch

    Args:
        layers: of a model, such as ``jaxgrad.flax.step_gemms`` gives.
    """
    return [row for layer in layers for row in _rows(layer, phase)]


def _rows(layer: LayerGemm, phase: Phase) -> list[tuple[str, Product]]:
    batch, inputs, outputs = layer.gemm.batch, layer.gemm.in_features, layer.gemm.out_features
    if phase == "forward":
        product, times = Product(batch, outputs, inputs), layer.times + layer.recomputed
    elif phase == "dx":
        product, times = Product(batch, inputs, outputs), layer.times * layer.needs_dx
    else:
        product, times = Product(inputs, outputs, batch), layer.times * layer.needs_dw
    if times == 1:
        return [(layer.path, product)]
    return [(f"{layer.path}#{number}", product) for number in range(times)]
