"""What 64 bits hold: the sweeps' own formulas, evaluated on intervals before anything runs (``designs.intervals``).

Each layer is looked at with ranges of cuts, on a range of arrays at once. Where a range is too wide to tell, it is
halved, down to single cuts and single arrays.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgrad.base.arithmetic import together
from jaxgrad.base.errors import InputError
from jaxgrad.costs.cuts import COARSE, Splits, block
from jaxgrad.costs.transfers import Shapes, Storage, exposed_cycles, waiting_cycles
from jaxgrad.designs import candidates, unblocked
from jaxgrad.designs.intervals import Interval, Watch
from jaxgrad.designs.plans import Part
from jaxgrad.designs.problems import Group
from jaxgrad.designs.questions import Arrays, Question

NONE = (1 << 62) - 1
"""Stands for what does not exist, and is more than anything that does."""

MOST_USABLE_BYTES = 1 << 48
"""Of a scratchpad: more than any layer needs whose numbers stay below ``NONE``."""

NEST_BITS, ORDER_BITS = 6, 2
"""Bits for the number of a nest, and for the place of its order; no part has more of them."""

_MOST_FLOAT = 1 << 50  # below this float64 does (``arithmetic.ceil_div``), which most processors are faster with
_MOST_PACKED = 1 << 53  # what is compared, and divided by powers of two alone
_MOST_CASES = 1 << 17  # beyond these a proof is given up; beyond an eighth of them one that there is another for
_TOGETHER = 1 << 12
_ROWS, _COLS, _SPLITS = 13, 15, (7, 9, 11)  # columns of a case: where ranges of two columns begin

Rates = tuple[tuple[int, int], ...]
Range = tuple[int, int]


def packed(moved_bytes: Any, order: int, nest: int) -> Any:
    """Bytes moved, the place of the order and the number of the nest in one number: the least one is the best nest."""
    return moved_bytes * (1 << ORDER_BITS + NEST_BITS) + (order * (1 << NEST_BITS) + nest)


class _Layers(NamedTuple):
    """Layers as what caches are keyed by: (b, k, n, x_words, the share's two, times) of each."""

    numbers: tuple[tuple[int, ...], ...]


def check(question: Question, group: Group, rows: Any, cols: Any, rates: Sequence[tuple[int, int]], name: str) -> Any:
    """Refuses what could pass 64 bits.

    Args:
        question: what is asked.
        group: the layers.
        rows, cols: of the arrays.
        rates: (cycles, bytes) of the bandwidths; none without a memory.
        name: of the network, for the message.

    Returns:
        The type of NumPy's that holds all numbers: float64, whole numbers in it, or int64.

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
    # Processors that imitate float64 are not exact in it.
    if jax.default_backend() in ("cpu", "gpu", "cuda", "rocm") and _holds(_MOST_FLOAT, *asked, *exactly):
        return np.float64
    if _holds(NONE, *asked, *widened) or _holds(NONE, *asked, *exactly):
        return np.int64
    batch = max(int(b) for b in group.shapes.b)
    raise InputError(
        "batch",
        batch,
        "counts could pass 64 bits: give a smaller batch or array, or rates with fewer digits",
        problem=f"got {batch} rows in {name}'s largest product",
    )


@functools.lru_cache(maxsize=1024)
def _holds(
    limit: int, question: Question, dx: bool, dw: bool, layers: _Layers, rates: Rates, rows: Range, cols: Range
) -> bool:
    """Whether all numbers stay below ``limit``, on arrays of any of these rows and columns."""
    parts = list(dict.fromkeys(part for plan in question.plans(dx, dw) for part in plan)) if rates else []
    pending = np.array(
        [
            (*layer, *splits, *rows, *cols)
            for layer in layers.numbers
            for splits in (_ranges(layer, rows, cols) if rates else [(1, 1) * 3])
        ],
        np.int64,
    ).reshape(-1, 17)

    def failing(cases: np.ndarray, rates: Any) -> np.ndarray:
        pieces = [cases[start : start + _TOGETHER] for start in range(0, len(cases), _TOGETHER)]
        return np.concatenate(
            [piece[_over(limit, piece, question, dx, dw, parts, len(layers.numbers), rates)] for piece in pieces]
        )

    one_by_one = [tuple((end, end) for end in rate) for rate in rates]
    seen = 0
    while len(pending):
        seen += len(pending)
        if seen > _MOST_CASES >> (0 if limit == NONE else 3):
            return False
        # All bandwidths at once, and one by one where that does not tell.
        failed = failing(pending, [tuple((min(ends), max(ends)) for ends in zip(*rates, strict=True))] if rates else [])
        if len(failed) and len(rates) > 1:
            failed = failing(failed, one_by_one)
        if len(failed) and (failed[:, _SPLITS] < failed[:, [at + 1 for at in _SPLITS]]).any():
            pending = functools.reduce(_halved, _SPLITS, failed)
            continue
        if len(failed) and len(failing(_corners(failed), one_by_one)):
            return False
        pending = _halved(_halved(failed, _ROWS), _COLS)
    return True


def _over(
    limit: int,
    cases: np.ndarray,
    question: Question,
    dx: bool,
    dw: bool,
    parts: Sequence[Part],
    layers: int,
    rates: Any,
) -> np.ndarray:
    """Which cases could pass the limit; ``rates`` are ranges of cycles and bytes."""
    watch = Watch(len(cases), limit)
    columns = cases.T[:, :, None]
    b, k, n, x_words, share, of, times = (watch.interval(column, column) for column in columns[:7])
    splits = Splits(*(watch.interval(columns[at], columns[at + 1]) for at in _SPLITS))
    rows, cols = (watch.interval(columns[at], columns[at + 1]) for at in (_ROWS, _COLS))
    shapes = Shapes(b, k, n, x_words, (share, of))
    array = Arrays(rows, cols, question.double_buffered)
    # The sum over all layers is at most so many times the largest one; it is always added up in int64.
    sums = Watch(len(cases), NONE)
    often = sums.interval((times * layers).low, (times * layers).high)
    if not parts:
        for value in unblocked.counted(question, shapes.sizes, array, dx, dw).values():
            _tried(often * value)
        return watch.over | sums.over
    cycles, of_bytes = (watch.interval(*zip(*ends, strict=True)) for ends in zip(*rates, strict=True))
    usable = watch.interval(0, min(MOST_USABLE_BYTES, limit - 1))
    storage = Storage(usable, cycles, of_bytes, question.memory_double_buffered)
    codes = Watch(len(cases), _MOST_PACKED if limit == _MOST_FLOAT else limit)
    for part in parts:
        _evaluate(part, shapes, array, storage, question, splits, often, codes)
    return watch.over | sums.over | codes.over


def _evaluate(
    part: Part,
    shapes: Shapes,
    array: Arrays,
    storage: Storage,
    question: Question,
    splits: Splits,
    often: Interval,
    codes: Watch,
) -> None:
    """All that ``engine`` computes with ranges of cuts of the layers."""
    precision = question.precision
    lengths = block(shapes.sizes, splits, array)
    offer = candidates.candidate(part, shapes, lengths, array, precision)
    moved = offer.moved_bytes
    if part.alternates:
        moved = together(candidates.alternating_bytes(part, shapes, lengths, offer.needed_bytes, storage, precision))
    packed(codes.interval(moved.low, moved.high), max(part.orders), len(part.nests))
    exposed = exposed_cycles(part.nests[0], shapes, lengths, storage, precision)
    _tried(2 * (offer.compute + waiting_cycles(offer.compute, moved, exposed, storage)))  # a plan has two parts at most
    nest = shapes.b.watch.interval(0, len(part.nests) - 1)
    for value in candidates.counts(part, nest, lengths, shapes, array, storage, precision).values():
        _tried(often * value)


def _tried(_: Interval) -> None:
    """What the engines compute and the watch has seen."""


def _ranges(layer: tuple[int, ...], rows: Range, cols: Range) -> list[tuple[int, ...]]:
    """Ranges of the counts of parts along b, k and n, from one coarse cut to the next; together all that there are."""
    tiles = (layer[0], -(-layer[1] // cols[0]), -(-layer[2] // rows[0]))
    axes = [[(low + 1, high) for low, high in itertools.pairwise((0, *COARSE.counts(most)))] for most in tiles]
    return [tuple(itertools.chain.from_iterable(ranges)) for ranges in itertools.product(*axes)]


def _corners(cases: np.ndarray) -> np.ndarray:
    """The smallest and the largest array of each."""
    small, large = cases.copy(), cases.copy()
    small[:, [_ROWS + 1, _COLS + 1]] = cases[:, [_ROWS, _COLS]]
    large[:, [_ROWS, _COLS]] = cases[:, [_ROWS + 1, _COLS + 1]]
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
