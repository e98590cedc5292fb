"""The products of ONNX's LinearAttention by its definition: a state, key size by value size, goes from token to token.

S = S + k v^T    with a decay beside it; in the delta rules v less what S has for k, k^T S
o = q^T S        for each query head that shares the state
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError

Shape = tuple[int, ...]
_DELTA = {b"linear": False, b"gated": False, b"delta": True, b"gated_delta": True}


class LinearAttention(NamedTuple):
    """What one token asks of one state, and how many there are of these.

    >>> linear_attention("a", {"q_num_heads": 4, "kv_num_heads": 2}, (3, 7, 32), (3, 7, 16), (3, 7, 10)).output
    Gemm(batch=2, in_features=8, out_features=5)

    Args:
        recalled: what the state has for the key; None where the rule has no use for it.
        update: the key and the value.
        output: the queries and the state.
        tokens: one after another.
        states: of all examples and heads of keys.
    """

    recalled: Gemm | None
    update: Gemm
    output: Gemm
    tokens: int
    states: int


def linear_attention(name: str, attributes: Mapping[str, Any], q: Shape, k: Shape, v: Shape) -> LinearAttention:
    """The products of queries, keys and values of these shapes.

    Raises:
        InputError: the shapes, the numbers of heads or the rule are not ONNX's.
    """
    heads, kv_heads = (max(1, attributes.get(key, 0)) for key in ("q_num_heads", "kv_num_heads"))
    rule = attributes.get("update_rule", b"gated_delta")
    fits = len(q) == len(k) == len(v) == 3 and q[:2] == k[:2] == v[:2] and heads % kv_heads == 0
    fits = fits and not (q[2] % heads or k[2] % kv_heads or v[2] % kv_heads) and q[2] // heads == k[2] // kv_heads
    if not fits or rule not in _DELTA:
        problem = f"got queries of {q}, keys of {k}, values of {v} and rule {rule!r} for LinearAttention ({name})"
        raise InputError("model", (q, k, v), "give what fits", problem=problem)
    key, value = k[2] // kv_heads, v[2] // kv_heads
    recalled = Gemm(1, key, value) if _DELTA[rule] else None
    return LinearAttention(recalled, Gemm(key, 1, value), Gemm(heads // kv_heads, key, value), k[1], k[0] * kv_heads)
