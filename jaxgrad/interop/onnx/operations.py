"""Which operations of ONNX multiply and accumulate, what of them is counted, and by which operands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CONVOLUTIONS = {"Conv": (0, 1), "DeformConv": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3)}
MATRIX_PRODUCTS = {"MatMul": (0, 1), "Gemm": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}
RECURRENCES = ("LSTM", "GRU", "RNN")
LINEAR_MODELS = ("LinearRegressor", "LinearClassifier")  # scikit-learn's: their weights are attributes
VECTOR_MACHINES = ("SVMRegressor", "SVMClassifier")  # the same; no gradients train them
# Integers have no gradients.
INTEGERS = ("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul")
ATTENTIONS = ("Attention", "LinearAttention")
PRODUCTS = (
    *CONVOLUTIONS, *MATRIX_PRODUCTS, *RECURRENCES, *LINEAR_MODELS, *VECTOR_MACHINES, *ATTENTIONS, "ConvTranspose",
    "Einsum",
)  # fmt: skip
# Multiply-accumulates that are not read.
UNREAD = frozenset({
    "If", "Loop", "Scan",  # of forms that are not laid out
    "CausalConvWithState", "FlexAttention",
})  # fmt: skip
# Trained, and with no GEMM in them: what comes from them needs a gradient.
OTHER_TRAINED = (
    "BatchNormalization", "BiasGelu", "GroupNormalization", "InstanceNormalization", "LayerNormalization",
    "SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
)  # fmt: skip
# ONNX Runtime's own (com.microsoft), which are one of ONNX's and an activation.
FUSED = {"FusedConv": "Conv", "FusedGemm": "Gemm"}
# ONNX Runtime's own without products, whose first result has the shape of their first operand.
SHAPED_ALIKE = frozenset({
    "BiasGelu", "FastGelu", "Gelu", "QuickGelu", "SimplifiedLayerNormalization", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
})  # fmt: skip


def operands(node: Any) -> Iterator[tuple[str, str]]:
    """The names of X and W of each of a node's products; of two that may change places, as they stand."""
    names = list(node.input)
    kind = node.op_type
    places = CONVOLUTIONS.get(kind) or MATRIX_PRODUCTS.get(kind)
    if places:
        if len(names) > max(places):
            yield names[places[0]], names[places[1]]
    elif kind in RECURRENCES or kind == "ConvTranspose":
        if len(names) > 1:
            yield names[0], names[1]
    elif kind in ATTENTIONS:
        if len(names) > 2:
            yield from ((names[0], names[1]), (names[1], names[0]), (names[2], names[0]))
    elif kind == "Einsum":
        for right in names[1:]:
            yield names[0], right


def interchangeable(node: Any) -> bool:
    """Whether the weights of a node may be its left operand."""
    return node.op_type in MATRIX_PRODUCTS or node.op_type == "Einsum"
