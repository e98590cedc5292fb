"""Loops of an ONNX model: what one is laid out from, and whether its condition ends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Loop(NamedTuple):
    """A loop's node, and its body's inputs: bound to values, or carried from round to round."""

    node: Any
    body: Any
    path: str
    times: int
    trips: int
    starts: Sequence[str]
    bound: dict[str, str]
    carried: Sequence[Any]
    told: bool  # whether it is known how many rounds there are


def keeps_on(onnx: Any, body: Any) -> bool:
    """Whether a loop's condition is, after a round of its body, the one that it was before, or true."""
    makers = {name: node for node in body.node for name in node.output}
    name = body.output[0].name
    while name in makers and makers[name].op_type == "Identity":
        name = makers[name].input[0]
    if name == body.input[1].name:
        return True
    tensors = {tensor.name: tensor for tensor in body.initializer}
    constant = name in makers and makers[name].op_type == "Constant"
    told = [attribute.t for attribute in makers[name].attribute if attribute.name == "value"] if constant else []
    told += [tensors[name]] if name in tensors else []
    return bool(told) and bool(onnx.numpy_helper.to_array(told[0]).all())
