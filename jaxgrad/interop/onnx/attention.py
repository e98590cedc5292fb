"""The two products of ONNX's Attention: scores of queries and keys, and values by the scores' weights.

Queries, keys and values are (batch, heads, length, size), or (batch, length, heads times size) with the heads as
attributes. Several query heads may share one of keys and values; each has GEMMs of its own. Past keys and values go
before the others. All scores are computed, those too that a mask leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError

Shape = tuple[int, ...]


class Attention(NamedTuple):
    """What one head of one example asks of the array, and how many there are of these.

    >>> products = attention("a", {}, (2, 6, 5, 8), (2, 3, 7, 8), (2, 3, 7, 4), past=1)
    >>> products.scores, products.times
    (Gemm(batch=5, in_features=8, out_features=8), 12)
    """

    scores: Gemm
    mixed: Gemm
    times: int


def attention(name: str, attributes: Mapping[str, Any], q: Shape, k: Shape, v: Shape, past: int = 0) -> Attention:
    """The products of queries, keys and values of these shapes, with so many keys of the past.

    Raises:
        InputError: the shapes, or the numbers of heads, don't fit together.
    """
    heads = [attributes.get("q_num_heads", 0), *[attributes.get("kv_num_heads", 0)] * 2]
    split = [_split(shape, number) for shape, number in zip((q, k, v), heads, strict=True)]
    (batch, q_heads, rows, size), (_, kv_heads, length, k_size), (_, v_heads, v_length, v_size) = split
    fits = size == k_size and length == v_length and kv_heads == v_heads and q_heads % max(1, kv_heads) == 0
    if not fits or min(min(shape) for shape in split) < 1 or len({shape[0] for shape in split}) > 1:
        problem = f"got queries of {q}, keys of {k} and values of {v} for Attention ({name})"
        raise InputError("model", (q, k, v), "give what fits", problem=problem)
    length += past
    return Attention(Gemm(rows, size, length), Gemm(rows, length, v_size), batch * q_heads)


def _split(shape: Shape, heads: int) -> Shape:
    """(batch, heads, length, size); zeros if it has no such shape."""
    if len(shape) == 4:
        return shape
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        return (0, 0, 0, 0)
    return shape[0], heads, shape[1], shape[2] // heads
