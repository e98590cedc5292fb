"""What SCALE-Sim 3.0.0 says that sparse filters take in memory, by the formats it knows.

The filters are a matrix of K x N, of which K' x N elements are stored. In words of 32 bits, an index being a word too:

    ellpack_block   an index of ceil(log2 M) bits for each stored element, of its place in its block of M
    csr             the column of each, and where each of K rows begins
    csc             the row of each, and where each of N columns begins

Where filters have a ratio each, ellpack_block stores the empty slots too, and takes M from the topology.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxgrad.interop.scalesim import row_wise
from jaxgrad.interop.scalesim.layers import Layer

REPRESENTATIONS: tuple[str, ...] = ("csr", "csc", "ellpack_block")
_WORD_BITS = 32


class Storage(NamedTuple):
    """Words of a layer's filters.

    Args:
        dense: with all their zeros.
        sparse: stored, with what tells where they belong.
        metadata: that alone.
    """

    dense: int
    sparse: float
    metadata: float


def storage(layer: Layer, representation: str) -> Storage:
    """What the filters of a layer that has a sparsity take.

    >>> from jaxgrad.interop.scalesim.layers import Sparsity, gemm_layer
    >>> from dataclasses import replace
    >>> storage(replace(gemm_layer("fc", 5, 8, 16), sparsity=Sparsity(2, 4)), "ellpack_block")
    Storage(dense=128, sparse=68.0, metadata=4.0)

    Args:
        layer: as SCALE-Sim runs it.
        representation: one of ``REPRESENTATIONS``.
    """
    assert layer.sparsity is not None
    dense, stored = layer.dense_product, layer.product.k * layer.filters
    if representation == "ellpack_block":
        metadata = stored * math.ceil(math.log2(layer.sparsity.block)) / _WORD_BITS
    else:
        if layer.row_wise is not None:
            stored = row_wise.stored(layer.row_wise, layer.window, layer.filters)
        metadata = stored + 1 + (dense.k if representation == "csr" else dense.n)
    return Storage(dense.k * dense.n, stored + metadata, metadata)
