"""What the nodes of an ONNX graph are: their names, their attributes, and how text from a file is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgrad.base.errors import InputError

_TYPES = {
    "auto_pad": bytes,
    "coefficients": list,
    "kernel_type": bytes,
    "support_vectors": list,
    "dilations": list,
    "direction": bytes,
    "equation": bytes,
    "group": int,
    "hidden_size": int,
    "kernel_shape": list,
    "kv_num_heads": int,
    "layout": int,
    "linear_before_reset": int,
    "pads": list,
    "q_num_heads": int,
    "strides": list,
    "transA": int,
    "transB": int,
    "update_rule": bytes,
}
_ENTRIES = {"coefficients": float, "support_vectors": float}  # of lists; the others' are whole numbers


def name_of(node: Any) -> str:
    """A node's own name, or that of its first result."""
    return printable(node.name or next(iter(node.output), ""))


def printable(text: Any) -> str:
    """Text from a file, which may hold ends of lines."""
    return text if isinstance(text, str) and text.isprintable() else repr(text)


def attributes_of(node: Any, name: str, value_of: Callable[[Any], Any]) -> dict[str, Any]:
    """A node's attributes by name, each of the type that ONNX has for it, which shape inference takes for granted."""
    values = {}
    for attribute in node.attribute:
        try:
            value = value_of(attribute)
        except ValueError:
            value = None
        wanted = _TYPES.get(attribute.name)
        entry = _ENTRIES.get(attribute.name, int)
        right = all(isinstance(size, entry) for size in value) if isinstance(value, list) else True
        if wanted and not (isinstance(value, wanted) and right):
            wrong = f"{printable(attribute.name)} {value!r} for {node.op_type} ({name})"
            raise InputError("model", wrong, "give it the type that ONNX has for it", problem=f"got {wrong}")
        values[attribute.name] = value
    return values
