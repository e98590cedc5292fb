"""FlexAttention (ai.onnx.preview) as ONNX's Attention: the same two products, with graphs of the model's own for what
is done to the scores and to their softmax.

Those graphs are work beside the array, and what they read from outside joins it. Where one of them multiplies and
accumulates itself, the node stays as it is, and is named as not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxgrad.interop.onnx.operations import PRODUCTS, UNREAD

DOMAIN = "ai.onnx.preview"


def attention(onnx: Any, node: Any) -> tuple[Any, Any, list[str]] | None:
    """The Attention that a FlexAttention is, the same node for shape inference, and what its graphs read from outside.

    None where a graph of its has products, or may have.

    Args:
        onnx: the package.
        node: with names as in the model laid out; those in its graphs are as the file has them.
    """
    graphs = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    if not all(_is_work(onnx, inside) for graph in graphs for inside in graph.node):
        return None
    whole = onnx.helper.make_node("Attention", node.input[:3], node.output[:1], node.name)
    inferred = onnx.NodeProto()
    inferred.CopyFrom(node)
    del inferred.attribute[:]
    return whole, inferred, list(dict.fromkeys(name for graph in graphs for name in _outside(graph)))


def _is_work(onnx: Any, node: Any) -> bool:
    own = node.domain not in ("", "ai.onnx") or node.op_type in PRODUCTS or node.op_type in UNREAD
    return not own and all(attribute.type != onnx.AttributeProto.GRAPH for attribute in node.attribute)


def _outside(graph: Any) -> Iterator[str]:
    inside = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    inside |= {name for node in graph.node for name in node.output}
    return (name for node in graph.node for name in node.input if name and name not in inside)
