"""An ONNX classifier like ``Net`` of ``examples/my_net.py``, as an exporter writes it: channels first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.interop.onnx.models import floats, helper, onnx, weights


def write(folder: Path, shape: tuple[int, int, int] = (8, 8, 1), *, norm: bool = False) -> Path:
    """A convolution (with batch normalisation), ReLU, pooling, two dense layers and a softmax, ten classes.

    Args:
        folder: where the file goes.
        shape: (height, width, channels) of an image.
        norm: whether there is a batch normalisation.
    """
    generator = np.random.default_rng(0)
    height, width, channels = shape
    values = {
        "conv.weight": (8, channels, 3, 3),
        "conv.bias": (8,),
        "dense.weight": (32, height // 2 * (width // 2) * 8),
        "dense.bias": (32,),
        "head.weight": (10, 32),
        "head.bias": (10,),
    } | ({f"norm.{name}": (8,) for name in ("weight", "bias", "mean", "var")} if norm else {})
    constants = [
        weights(name, (0.3 * generator.normal(size=size)).astype(np.float32) ** (2 if name == "norm.var" else 1))
        for name, size in values.items()
    ]
    normalised = [helper.make_node("BatchNormalization", ["c", *list(values)[6:]], ["n"], "/norm", momentum=0.8)]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], "/conv/Conv", pads=[1, 1, 1, 1]),
        *normalised[:norm],
        helper.make_node("Relu", ["n" if norm else "c"], ["r"], "relu"),
        helper.make_node("MaxPool", ["r"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "dense.weight", "dense.bias"], ["d"], "dense", transB=1),
        helper.make_node("Relu", ["d"], ["q"], "relu"),
        helper.make_node("Gemm", ["q", "head.weight", "head.bias"], ["logits"], "head", transB=1),
        helper.make_node("Softmax", ["logits"], ["y"], "softmax"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", floats, ("n", channels, height, width))],
        [helper.make_tensor_value_info("y", floats, ("n", 10))],
        constants,
    )
    file = folder / ("norm.onnx" if norm else "net.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(file))
    return file
