"""The layers of two networks at batch 1, equal ones together: tracing them takes half a minute each.

That they are the networks' own is tested where these are traced anyway, in ``tests/programs/test_whole.py``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from jaxgrad.array.gemm import Gemm
from jaxgrad.programs import LayerGemm

NETWORKS = ("inception-v4", "densenet264")
_LAYERS = json.loads(Path(__file__).with_name("layers.json").read_text(encoding="utf-8"))


def layers(network: str) -> list[LayerGemm]:
    """They all need dW, and dX but for the first one."""
    return [
        LayerGemm(str(index), Gemm(b, k, n), times, needs_dx, x_words=x_words)
        for index, (b, k, n, x_words, needs_dx, times) in enumerate(_LAYERS[network])
    ]


def counted(gemms: Iterable[LayerGemm], batch: int = 1) -> Counter[tuple[int | bool, ...]]:
    """How often each layer is computed, by its sizes for one image and by what is wanted of it."""
    counts: Counter[tuple[int | bool, ...]] = Counter()
    for own in gemms:
        gemm, wanted = own.gemm, (own.needs_dx, own.needs_dw, own.weights, own.recomputed)
        rows, words = divmod(gemm.batch, batch), divmod(own.input_words, batch)
        counts[*rows, gemm.in_features, gemm.out_features, *words, *wanted] += own.times
    return counts
