"""ONNX Runtime's own attention (com.microsoft), as the nodes of ONNX's that it is made of by its definition.

    Attention             a product with the weights of queries, keys and values, and ONNX's Attention of its parts
    MultiHeadAttention    ONNX's Attention of queries, keys and values that are given apart
    GroupQueryAttention   the same with fewer heads of keys and values; all three may come in one tensor

Biases, masks and rotary embeddings are work beside the array. Forms that are laid out otherwise (keys and values
together, a past in one tensor, values of another width) stay as they are, and are named as not counted.
"""

from __future__ import annotations

import itertools
from typing import Any

from jaxgrad.interop.onnx.operations import FUSED
from jaxgrad.interop.onnx.steps import Step

ATTENTION = ("Attention", "MultiHeadAttention", "GroupQueryAttention")
_OUTPUTS_TOLD = 18  # from this version on, Split says into how many parts


def attention(onnx: Any, node: Any, path: str, times: int, version: int) -> list[Step]:
    """The steps of an attention of ONNX Runtime's; none where it has another form.

    Args:
        onnx: the package.
        node: one of ``ATTENTION``, with names as in the model laid out.
        path, times: of its steps, see ``Step``.
        version: of ONNX's own operations.
    """
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    names = [*node.input, *[""] * 8]
    heads, kv_heads = attributes.get("num_heads", 0), attributes.get("kv_num_heads", 0)
    steps: list[Step] = []
    parts = _Parts(onnx, node.output[0], path, times, version)
    if node.op_type == "Attention":
        x, weights, _, mask, past, bias = names[:6]
        if not weights or past or len(set(attributes.get("qkv_hidden_sizes", ()))) > 1:
            return []
        merged = onnx.helper.make_node("MatMul", [x, weights], [parts.name("merged")])
        steps = [Step(merged, merged, f"{path}.qkv", times), parts.split(merged.output[0], 3)]
        q, k, v = steps[-1].node.output
        past_k = past_v = ""
        mask, kv_heads = bias or mask, heads
    elif node.op_type == "MultiHeadAttention":
        q, k, v, _, mask, bias, past_k, past_v = names[:8]
        mask, kv_heads = bias or mask, heads
    else:
        q, k, v, past_k, past_v = names[:5]
        mask = ""
        if not k and not v and heads > 0 and kv_heads > 0:
            steps = [parts.split(q, heads + 2 * kv_heads)]
            pieces = iter(steps[-1].node.output)
            joined = [parts.join(list(itertools.islice(pieces, number))) for number in (heads, kv_heads, kv_heads)]
            steps += joined
            q, k, v = (step.node.output[0] for step in joined)
    if not (q and k and v) or heads < 1 or kv_heads < 1:
        return []
    inputs = [q, k, v, mask, past_k, past_v]
    whole = onnx.helper.make_node(
        "Attention", inputs, list(node.output[:3]), node.name, q_num_heads=heads, kv_num_heads=kv_heads
    )
    return [*steps, Step(whole, onnx.helper.make_node("Identity", [q], [node.output[0]]), path, times)]


def matrix_product(onnx: Any, node: Any) -> Any:
    """A ``FusedMatMul`` as the ``Einsum`` that it is; with axes of its stack transposed, as it stands."""
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    if flags.get("transBatchA") or flags.get("transBatchB"):
        return node
    left, right = "...km" if flags.get("transA") else "...mk", "...nk" if flags.get("transB") else "...kn"
    if left == "...mk" and right == "...kn":
        return onnx.helper.make_node("MatMul", node.input, node.output, node.name)
    return onnx.helper.make_node("Einsum", node.input, node.output, node.name, equation=f"{left},{right}->...mn")


def unfused(node: Any) -> Any:
    """One of ``FUSED`` as ONNX's own, without the activation."""
    node.op_type, node.domain = FUSED[node.op_type], ""
    kept = [attribute for attribute in node.attribute if not attribute.name.startswith("activation")]
    del node.attribute[:]
    node.attribute.extend(kept)
    return node


class _Parts:
    """Steps that part a tensor's last axis, and join parts of it."""

    def __init__(self, onnx: Any, prefix: str, path: str, times: int, version: int) -> None:
        self._make, self._prefix, self._path, self._times = onnx.helper.make_node, prefix, path, times
        self._says_number = version >= _OUTPUTS_TOLD
        self._count = itertools.count()

    def name(self, text: str) -> str:
        """Of a value that the model has no name for."""
        return f"{self._prefix}:{text}{next(self._count)}"

    def split(self, value: str, number: int) -> Step:
        """Equal parts of a value."""
        attributes = {"num_outputs": number} if self._says_number else {}
        node = self._make("Split", [value], [self.name("part") for _ in range(number)], axis=-1, **attributes)
        return Step(node, node, self._path, self._times)

    def join(self, values: list[str]) -> Step:
        """Parts side by side."""
        node = self._make("Concat", values, [self.name("joined")], axis=-1)
        return Step(node, node, self._path, self._times)
