"""What 64 bits hold: bounds on every number of a sweep, from sizes alone, before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgrad.designs.problems import Problems

NONE = (1 << 62) - 1
"""Stands for what does not exist, and is more than anything that does."""

NEST_BITS = 7
"""Bits for the number of a nest; no part has more nests."""

_BYTES_PER_WORD = 5  # of the widest format, rounded up
_MOVES = 8  # tensors that move at most, read or written


def largest(problems: Problems, rows: int, cols: int, rates: Sequence[tuple[int, int]] = ()) -> int:
    """No number in the costing of these layers exceeds this.

    A tile does at least one MAC, so there are no more tiles than MACs; each takes 3 rows + columns beyond its stream,
    and each streamed row does at least one MAC. A word moves at most once for each MAC it has a part in.

    Args:
        problems: the layers.
        rows, cols: of the largest array.
        rates: (cycles, bytes) of the bandwidths; none without a memory.
    """
    shapes, largest_macs, all_macs, shared = problems.shapes, 0, 0, 0
    for b, k, n, x_words, often in zip(*map(list, shapes), problems.forward_times, strict=True):
        macs = int(b) * int(k) * int(n)
        largest_macs = max(largest_macs, macs)
        all_macs += macs * int(often)
        shared = max(shared, int(b) * int(k) * max(int(x_words), 1))
    each = 2 * 2 * (3 * rows + cols + 2)  # two products, on two links
    events = all_macs * each
    if not rates:
        return events
    moved = _MOVES * _BYTES_PER_WORD * largest_macs
    time = max(2 * (each * largest_macs + 2 * moved * cycles) * size + 2 * moved * cycles for cycles, size in rates)
    # Formats of 264 bits to 32 words: bits are counted before they are bytes.
    bits = 264 * _MOVES * all_macs
    return max(events, shared, bits, moved << NEST_BITS, time)


def check(problems: Problems, rows: int, cols: int, rates: Sequence[tuple[int, int]], name: str) -> None:
    """Refuses what could overflow.

    Raises:
        ValueError: 64 bits might not do.
    """
    if largest(problems, rows, cols, rates) >= NONE:
        batch = int(max(problems.shapes.b))
        raise ValueError(
            f"batch: got {batch} rows in {name}'s largest product; counts could pass 64 bits: give a smaller batch or "
            "array, or rates with fewer digits"
        )
