"""ONNX models of a few nodes, in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
helper = onnx.helper
floats = onnx.TensorProto.FLOAT


def weights(name: str, *shape: Any) -> Any:
    """Zeros of a shape, or the array that is given."""
    value = shape[0] if shape and isinstance(shape[0], np.ndarray) else np.zeros(shape, np.float32)
    return onnx.numpy_helper.from_array(value, name)


def save(
    path: Path,
    nodes: Sequence[Any],
    constants: Sequence[Any],
    inputs: Mapping[str, Sequence[Any]],
    output: str = "y",
    opset: int = 17,
    *,
    functions: Sequence[Any] = (),
    others: Sequence[str] = (),
) -> Path:
    """A model whose inputs are floats, with version 1 of ``others`` among its sets of operations."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, floats, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, floats, None)],
        constants,
    )
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in others)]
    file = path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=sets, functions=functions), str(file))
    return file


def graph_inside(nodes: Sequence[Any], inputs: Sequence[tuple[str, int]], outputs: Sequence[tuple[str, int]]) -> Any:
    """A branch, or a loop's body; names and types of its inputs and results."""
    ends = ([helper.make_tensor_value_info(name, kind, None) for name, kind in some] for some in (inputs, outputs))
    return helper.make_graph(nodes, "inside", *ends)


def evaluated(file: Path, **inputs: np.ndarray) -> Any:
    """What ONNX's reference computes."""
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(str(file)).run(None, inputs)
