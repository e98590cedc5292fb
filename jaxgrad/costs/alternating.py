"""dX and dW each in its own order, their block operations in turn: "interleaving only" of IGO (Kim et al., MICRO 2023).

dX visits the blocks of dY row by row, dW column by column, so that neither spills a partial sum. A block of dY is read
once for the two where both uses fall close enough together that it is still in the scratchpad. With ``rows`` x ``cols``
blocks, dX uses block (i, j) in step ``i cols + j`` and dW in step ``j rows + i``, which are
``|i (cols - 1) - j (rows - 1)|`` steps apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgrad.base.arithmetic import Integer, ceil_div, last_block, maximum, minimum, repeat, rounded, where


def words_shared(
    lengths: tuple[Integer, Integer],
    block: tuple[Integer, Integer],
    window: Integer,
    row: Callable[[Integer], Integer] = lambda length: length,
) -> Integer:
    """Words of dY that are read once instead of twice.

    Args:
        lengths: of dY's two axes, b and n.
        block: lengths of a block.
        window: steps for which a block stays after its first use.
        row: what to count of a row of so many words, such as the accesses that it takes.
    """
    # What is counted here has no useful slope.
    lengths, block = (tuple(map(rounded, sizes)) for sizes in (lengths, block))
    window = rounded(window)
    rows, cols = (ceil_div(length, size) for length, size in zip(lengths, block, strict=True))
    last_row = last_block(lengths[0], block[0], rows)
    last_col = last_block(lengths[1], block[1], cols)
    everything = _pairs_within(rows, cols, window)
    # Of those, the ones in the last row and in the last column, whose blocks are smaller; the corner is always one.
    in_row = minimum(cols - 1, window // maximum(rows - 1, 1)) + 1
    in_col = minimum(rows - 1, window // maximum(cols - 1, 1)) + 1
    in_row = where(rows == 1, cols, in_row)
    in_col = where(cols == 1, rows, in_col)
    return (
        block[0] * row(block[1]) * (everything - in_row - in_col + 1)
        + last_row * row(block[1]) * (in_row - 1)
        + block[0] * row(last_col) * (in_col - 1)
        + last_row * row(last_col)
    )


def _pairs_within(rows: Integer, cols: Integer, window: Integer) -> Integer:
    """Blocks (i, j) with ``|i (cols - 1) - j (rows - 1)| <= window``."""
    tall, wide = maximum(rows - 1, 1), maximum(cols - 1, 1)
    # By symmetry as many are too early as are too late: i wide - j tall > window, from row `first` on.
    first = minimum(ceil_div(window + 1, wide), rows)
    count = rows - first
    offset = maximum(first * wide - window - 1, 0)
    late = where(count > 0, _floor_sum(count, tall, wide, offset) + count, 0)
    apart = where((rows == 1) | (cols == 1), 0, 2 * late)
    return rows * cols - apart


def _floor_sum(count: Integer, divisor: Integer, slope: Integer, offset: Integer) -> Integer:
    """Sum of ``(slope i + offset) // divisor`` for i from 0 to ``count - 1``, by Euclid's algorithm."""
    bounded = getattr(count, "floor_sum", None)
    if bounded is not None:
        return bounded(divisor, slope, offset)

    def step(state: tuple[Any, ...]) -> tuple[Any, ...]:
        active, n, m, a, b, total = state
        total = where(active, total + (n - 1) * n // 2 * (a // m) + n * (b // m), total)
        a, b = a % m, b % m
        top = a * n + b
        active = active & (top >= m)
        n, b = where(active, top // m, n), where(active, top % m, b)
        m, a = where(active, a, m), where(active, m, a)
        return active, n, m, a, b, total

    return repeat(step, (count > 0, count, divisor, slope, offset, 0 * (count + divisor + slope + offset)))[-1]
