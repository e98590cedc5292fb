"""A read buffer along a stream in which words come again: how often it is filled.

Only a walk tells when the buffer is full. It goes in numpy, a block at a time, and stops as soon as two sweeps leave
the buffer in the same state. ``distances.py`` walks faster where sweeps are many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from jaxgrad.interop.scalesim.read_buffer import Fillings

ALWAYS_HELD = np.iinfo(np.int32).max  # of a word that is never fetched
_LEAST_AHEAD = 1 << 9  # places looked at together


@dataclass(frozen=True)
class Block:
    """Consecutive places of the stream, over one or more folds that are alike.

    Args:
        words: asked for, fold after fold.
        lines: cycle of each, counted from its fold's start; for one fold, as the others are alike.
        fold: the first.
        cycles_each: of a fold.
    """

    words: np.ndarray
    lines: np.ndarray
    fold: int
    cycles_each: int

    def cycle(self, place: int) -> int:
        """Cycle of that place, counted from the start of the sweep."""
        fold, within = divmod(place, self.lines.size)
        return (self.fold + fold) * self.cycles_each + int(self.lines[within])


def walk(buffer: np.ndarray, stream: Callable[[], Iterator[Block]], sweeps: int, cycles: int, held: int) -> Fillings:
    """Fillings of a buffer of ``held`` words.

    Args:
        buffer: for each word 0, or ``ALWAYS_HELD``; the filling in which it was last asked for is kept here.
        stream: the blocks of one sweep.
        sweeps: how often it is repeated, ``cycles`` cycles apart.
        held: at most the different words of a sweep, so that each fills the buffer.
    """
    order = np.zeros_like(buffer)
    filling, count, rest, last, clash, sweep, began = 1, 0, 0, -1, False, 0, 0
    seen: dict[int, tuple[int, int]] = {}
    while sweep < sweeps:
        passed = 0
        for block in stream():
            start = 0
            while start < block.words.size:
                ahead = block.words[start : start + max(2 * (held - rest), _LEAST_AHEAD)]
                new = np.flatnonzero(buffer[ahead] < filling)
                asked = ahead[new]
                order[asked[::-1]] = new[::-1]  # of several places of one word, the first is written last
                new = new[order[asked] == new]
                if rest + new.size < held:
                    buffer[ahead[new]] = filling
                    rest += new.size
                    start += ahead.size
                    continue
                start += int(new[held - rest - 1]) + 1
                now = sweep * cycles + block.cycle(start - 1)
                clash = clash or now == last
                filling, count, rest, last, began = filling + 1, count + 1, 0, now, passed + start
            passed += block.words.size
        sweep += 1
        # What the buffer holds follows from where in the sweep it last forgot: from there on all goes as before.
        if began in seen:
            before, filled = seen[began]
            period = sweep - before
            skipped = (sweeps - sweep) // period
            count += skipped * (count - filled)
            last += skipped * period * cycles
            sweep += skipped * period
        seen[began] = (sweep, count)
    return Fillings(count, last, rest, clash)
