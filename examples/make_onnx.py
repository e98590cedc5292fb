"""Writes an ONNX classifier of handwritten digits, in the form in which PyTorch exports one.

python examples/make_onnx.py model.onnx
jaxgrad profile model.onnx --dim batch=32
jaxgrad train --model model.onnx --epochs 2
"""

from __future__ import annotations

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def classifier(classes: int = 10, channels: int = 8, units: int = 32) -> onnx.ModelProto:
    """8x8 grey images, channels first, to logits: a convolution, a pooling, two dense layers."""
    random = np.random.default_rng(0)
    pixels = channels * 4 * 4
    shapes = {
        "conv.weight": (channels, 1, 3, 3),
        "conv.bias": (channels,),
        "dense.weight": (units, pixels),
        "dense.bias": (units,),
        "head.weight": (classes, units),
        "head.bias": (classes,),
    }
    weights = {
        name: random.normal(0, np.prod(shape[1:]) ** -0.5, shape) if name.endswith("weight") else np.zeros(shape)
        for name, shape in shapes.items()
    }
    nodes = [
        helper.make_node("Conv", ["images", "conv.weight", "conv.bias"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "dense.weight", "dense.bias"], ["d"], "dense", transB=1),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "head.weight", "head.bias"], ["logits"], "head", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


if __name__ == "__main__":
    model = classifier()
    onnx.checker.check_model(model)
    onnx.save(model, sys.argv[1])
