"""A read buffer along a stream that is swept over many times: how often it is filled.

A filling begins with nothing held, so that a word is fetched in it unless it was asked for since the filling began.
How far back that was is the same in every sweep but the first, and is found once. Where no word comes again within a
filling, fillings are counted off.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from jaxgrad.interop.scalesim.read_buffer import Fillings
from jaxgrad.interop.scalesim.walk import ALWAYS_HELD, Block

_LEAST_AHEAD = 1 << 9  # places looked at together
_TOGETHER = 1 << 19  # places whose distances are found together
MOST_PLACES = 1 << 25  # of a sweep: what is kept of them takes up to 16 bytes each


@dataclass(frozen=True)
class _Stretch:
    """Consecutive blocks, by place from the first of them.

    Args:
        first: its first place, counted from the start of the sweep.
        before: place at which each word was asked for before, counted from the first; of one always held, the largest.
        close: places whose word was asked for less than ``held`` places before, or is always held.
        starts, blocks: place of the first of each block, and the blocks, without their words.
    """

    first: int
    before: np.ndarray
    close: np.ndarray
    starts: list[int]
    blocks: list[Block]

    def cycle(self, place: int) -> int:
        """Cycle of that place, counted from the start of the sweep."""
        number = bisect_right(self.starts, place) - 1
        return self.blocks[number].cycle(place - self.starts[number])


def by_distances(
    buffer: np.ndarray, stream: Callable[[], Iterator[Block]], sweeps: int, cycles: int, held: int, widest: int
) -> Fillings:
    """Fillings of a buffer of ``held`` words, as ``walk`` finds them.

    Args:
        buffer, stream, sweeps, cycles, held: as there; a sweep has at most ``MOST_PLACES``.
        widest: most words of one cycle; two fillings fit in one only where the buffer holds fewer.
    """
    count, rest, last, clash, sweep, began = 0, 0, -1, False, 0, 0
    seen: dict[int, tuple[int, int]] = {}
    distances = _Distances(buffer, stream, held)
    kept: list[_Stretch] | None = None
    while sweep < sweeps:
        passed = 0
        for stretch in kept or distances.first_sweep():
            before, size = stretch.before, stretch.before.size
            start, ended = 0, -1
            while start < size:
                if not rest and widest <= held:
                    at = int(stretch.close.searchsorted(np.int32(start)))  # of its own type, lest it be cast
                    alone = (int(stretch.close[at]) if at < stretch.close.size else size) - start
                    if alone >= held:
                        count += alone // held
                        start += alone // held * held
                        ended = start - 1
                        began = stretch.first + start
                        continue
                ahead = before[start : start + max(2 * (held - rest), _LEAST_AHEAD)]
                new = np.flatnonzero(ahead < began - stretch.first)
                if rest + new.size < held:
                    rest += new.size
                    start += ahead.size
                    continue
                start += int(new[held - rest - 1]) + 1
                if widest > held:
                    now = sweep * cycles + stretch.cycle(start - 1)
                    clash = clash or now == last
                    last = now
                count, rest, ended, began = count + 1, 0, start - 1, stretch.first + start
            if ended >= 0:
                last = sweep * cycles + stretch.cycle(ended)
            passed += size
        kept = kept or distances.later_sweeps()
        sweep += 1
        # What the buffer holds follows from where in the sweep it last forgot: from there on all goes as before.
        if began in seen:
            earlier, filled = seen[began]
            period = sweep - earlier
            skipped = (sweeps - sweep) // period
            count += skipped * (count - filled)
            last += skipped * period * cycles
            sweep += skipped * period
        seen[began] = (sweep, count)
        began -= passed
    return Fillings(count, last, rest, clash)


class _Distances:
    """How far back each place's word was asked for before, in the first sweep over a stream and in all later ones."""

    def __init__(self, buffer: np.ndarray, stream: Callable[[], Iterator[Block]], held: int) -> None:
        # Place, from 1, at which each word was last asked for; 0 if never.
        self._last = buffer.astype(np.int64)
        self._always = buffer == ALWAYS_HELD
        self._asked = 1
        self._stream = stream
        self._held = held
        self._found: list[tuple[_Stretch, np.ndarray, np.ndarray]] = []

    def first_sweep(self) -> Iterator[_Stretch]:
        for blocks in _together(self._stream()):
            first = self._asked - 1
            words = np.concatenate([block.words for block in blocks]) if len(blocks) > 1 else blocks[0].words
            before = self._before(words)
            starts = [0, *accumulate(block.words.size for block in blocks)][:-1]
            bare = [Block(block.words[:0], block.lines, block.fold, block.cycles_each) for block in blocks]
            stretch = _Stretch(first, before, self._close(before), starts, bare)
            new = np.flatnonzero(before == -1 - first)
            self._found.append((stretch, new, words[new]))
            yield stretch

    def later_sweeps(self) -> list[_Stretch]:
        """Those of the first, in which what was new was asked for in the sweep before."""
        for stretch, new, words in self._found:
            stretch.before[new] = self._last[words] - self._asked - stretch.first
        return [replace(stretch, close=self._close(stretch.before)) for stretch, _, _ in self._found]

    def _close(self, before: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.arange(before.size) - before < self._held).astype(np.int32)

    def _before(self, words: np.ndarray) -> np.ndarray:
        """The place at which each of the next words was asked for before, counted from the first of them."""
        before = self._last[words] - self._asked
        shift = words.size.bit_length()
        # A word and its place in one number: sorted, the places of each word stand in a row.
        order = np.sort(words.astype(np.int64) << shift | np.arange(words.size))
        place, word = order & ((1 << shift) - 1), order >> shift
        again = word[1:] == word[:-1]
        before[place[1:][again]] = place[:-1][again]
        before[self._always[words]] = ALWAYS_HELD
        last = np.append(~again, True)
        self._last[word[last]] = self._asked + place[last]
        self._asked += words.size
        return before.astype(np.int32)


def _together(blocks: Iterator[Block]) -> Iterator[list[Block]]:
    """Small blocks, in lists of so many places at most, or of one block."""
    taken: list[Block] = []
    places = 0
    for block in blocks:
        if taken and places + block.words.size > _TOGETHER:
            yield taken
            taken, places = [], 0
        taken.append(block)
        places += block.words.size
    yield taken
