"""What 64 bits hold: the sweeps' own formulas, evaluated on intervals before anything runs (``designs.intervals``).

Each layer is looked at with each way to cut it, on a range of arrays at once. Where a range is too wide to tell, it is
halved, down to single arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgrad.base.errors import InputError
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.designs import plans, unblocked
from jaxgrad.designs.intervals import Interval, Watch
from jaxgrad.designs.plans import Found, Part
from jaxgrad.designs.problems import Group
from jaxgrad.designs.questions import Arrays, Question
from jaxgrad.designs.splits import Splits, all_splits, block

NONE = (1 << 62) - 1
"""Stands for what does not exist, and is more than anything that does."""

_MOST_CASES = 1 << 17  # beyond these a proof is given up
_TOGETHER = 1 << 14

Rates = tuple[tuple[int, int], ...]
Range = tuple[int, int]


class _Layers(NamedTuple):
    """Layers as what caches are keyed by: (b, k, n, x_words, the share's two, times) of each."""

    numbers: tuple[tuple[int, ...], ...]


def check(question: Question, group: Group, rows: Any, cols: Any, rates: Sequence[tuple[int, int]], name: str) -> None:
    """Refuses what could pass 64 bits.

    Args:
        question: what is asked.
        group: the layers.
        rows, cols: of the arrays.
        rates: (cycles, bytes) of the bandwidths; none without a memory.
        name: of the network, for the message.

    Raises:
        ValueError: 64 bits might not do, in one line.
    """
    x_share = group.shapes.x_share or (group.shapes.x_words, group.shapes.x_words)
    columns = (*group.shapes.numbers, *x_share, question.times(group))
    layers = _Layers(tuple(zip(*(np.asarray(column).tolist() for column in columns), strict=True)))
    asked = question, group.dx, group.dw, layers, tuple(dict.fromkeys(rates))
    exactly = [(int(np.min(sizes)), int(np.max(sizes))) for sizes in (rows, cols)]
    # Ranges between powers of 16 serve for many chunks of designs.
    widened = [
        (1 << (low.bit_length() - 1) // 4 * 4, 1 << -(-(high - 1).bit_length() // 4) * 4) for low, high in exactly
    ]
    if _holds(*asked, *widened) or _holds(*asked, *exactly):
        return
    batch = max(int(b) for b in group.shapes.b)
    raise InputError(
        "batch",
        batch,
        "counts could pass 64 bits: give a smaller batch or array, or rates with fewer digits",
        problem=f"got {batch} rows in {name}'s largest product",
    )


@functools.lru_cache(maxsize=1024)
def _holds(question: Question, dx: bool, dw: bool, layers: _Layers, rates: Rates, rows: Range, cols: Range) -> bool:
    """Whether all numbers stay below ``NONE``, on arrays of any of these rows and columns."""
    parts = list(dict.fromkeys(part for plan in question.plans(dx, dw) for part in plan)) if rates else []
    tried = [_splits(layer, rows, cols) if rates else [(1, 1, 1)] for layer in layers.numbers]
    pending = np.array(
        [
            (*layer, *each, *rows, *cols)
            for layer, own in zip(layers.numbers, tried, strict=True)
            for each in own
        ],
        np.int64,
    ).reshape(-1, 14)  # fmt: skip

    def failing(cases: np.ndarray, rates: Any) -> np.ndarray:
        some = [cases[start : start + _TOGETHER] for start in range(0, len(cases), _TOGETHER)]
        return np.concatenate([own[_over(own, question, dx, dw, parts, len(layers.numbers), rates)] for own in some])

    each_rate = [tuple((end, end) for end in rate) for rate in rates]
    seen = 0
    while len(pending):
        seen += len(pending)
        if seen > _MOST_CASES:
            return False
        # All bandwidths at once, and one by one where that does not tell.
        failed = failing(pending, [tuple((min(ends), max(ends)) for ends in zip(*rates, strict=True))] if rates else [])
        if len(failed) and len(rates) > 1:
            failed = failing(failed, each_rate)
        if len(failed) and len(failing(_corners(failed), each_rate)):
            return False
        pending = _halved(_halved(failed, 10), 12)
    return True


def _over(
    cases: np.ndarray, question: Question, dx: bool, dw: bool, parts: Sequence[Part], layers: int, rates: Any
) -> np.ndarray:
    """Which cases could pass the limit; ``rates`` are ranges of cycles and bytes."""
    watch = Watch(len(cases), NONE)
    b, k, n, x_words, some, of, times, *split, rows, to_rows, cols, to_cols = (
        watch.interval(column, column) for column in cases.T[:, :, None]
    )
    shapes = Shapes(b, k, n, x_words, (some, of))
    array = Arrays(_between(rows, to_rows), _between(cols, to_cols), question.double_buffered)
    # The sum over all layers is at most so many times the largest one.
    often = times * layers
    if not parts:
        for value in unblocked.counted(question, shapes.sizes, array, dx, dw).values():
            _tried(often * value)
        return watch.over
    cycles, of_bytes = (watch.interval(*zip(*ends, strict=True)) for ends in zip(*rates, strict=True))
    storage = Storage(0, cycles, of_bytes, question.memory_double_buffered)
    for part in parts:
        _evaluate(part, shapes, array, storage, question, Splits(*split), often)
    return watch.over


def _evaluate(
    part: Part, shapes: Shapes, array: Arrays, storage: Storage, question: Question, splits: Splits, often: Interval
) -> None:
    """All that ``engine`` computes with one way to cut the layers."""
    own = block(shapes.sizes, splits, array)
    offer = plans.candidate(part, shapes, own, array, question.precision)
    plans.packed(part, offer)
    exposed = plans.exposed_cycles(part, shapes, own, storage, question.precision)
    _tried(2 * plans.time(offer.compute, exposed, offer.moved_bytes, storage))  # a plan has two parts at most
    nest = often.watch.interval(0, len(part.nests) - 1)
    found = Found(0, 0, nest, splits)
    for value in plans.counts(part, found, shapes, array, storage, question.precision).values():
        _tried(often * value)


def _tried(_: Interval) -> None:
    """What the engines compute and the watch has seen."""


def _between(low: Interval, high: Interval) -> Interval:
    return low.watch.interval(low.low, high.high)


def _splits(layer: tuple[int, ...], rows: Range, cols: Range) -> list[Splits]:
    b, k, n, *_ = layer
    return list(all_splits({"b": b, "k": -(-k // cols[0]), "n": -(-n // rows[0])}))


def _corners(cases: np.ndarray) -> np.ndarray:
    """The smallest and the largest array of each."""
    small, large = cases.copy(), cases.copy()
    small[:, [11, 13]] = cases[:, [10, 12]]
    large[:, [10, 12]] = cases[:, [11, 13]]
    return np.concatenate([small, large])


def _halved(cases: np.ndarray, at: int) -> np.ndarray:
    """Each range of two columns in two, at its geometric mean; a single number stays."""
    low, high = cases[:, at], cases[:, at + 1]
    wide = low < high
    middle = np.minimum(np.sqrt(low.astype(float) * high).astype(np.int64), high - 1)
    first, second = cases.copy(), cases[wide].copy()
    first[wide, at + 1] = middle[wide]
    second[:, at] = middle[wide] + 1
    return np.concatenate([first, second])
