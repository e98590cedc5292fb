"""A buffer along any stream, walked and by distances, against a walk word by word."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim import distances
from jaxgrad.interop.scalesim.distances import by_distances
from jaxgrad.interop.scalesim.walk import ALWAYS_HELD, Block, walk
from tests.interop.scalesim import oracle

WIDEST = 4
Lines = list[list[int]]
lines_of_words = st.lists(st.lists(st.integers(0, 15), max_size=WIDEST), min_size=1, max_size=12).filter(any)
never_fetched = st.sets(st.integers(0, 15), max_size=3)


class Swept:
    """A stream of lines in blocks that end at some of them, and a buffer that never fetches some words."""

    def __init__(self, lines: Lines, never: set[int], data: st.DataObject) -> None:
        self.lines = lines
        self.never = never
        self.fetched = {word for line in lines for word in line} - never
        self.cuts = sorted({0, len(lines), *data.draw(st.sets(st.integers(0, len(lines)), max_size=3))})

    def stream(self) -> Iterator[Block]:
        for start, stop in zip(self.cuts, self.cuts[1:], strict=False):
            part = self.lines[start:stop]
            words = np.array([word for line in part for word in line], np.int64)
            if words.size:
                yield Block(words, np.repeat(np.arange(start, stop), [len(line) for line in part]), 0, len(self.lines))

    def buffer(self) -> np.ndarray:
        buffer = np.zeros(16, np.int32)
        buffer[list(self.never)] = ALWAYS_HELD
        return buffer

    def expected(self, sweeps: int, held: int) -> tuple[int, int, int, bool]:
        kept = [[word for word in line if word not in self.never] for line in self.lines * sweeps]
        return oracle.fillings(kept, held)


@given(lines_of_words, st.integers(1, 40), never_fetched, st.data())
def test_fillings_are_those_of_a_walk(lines: Lines, sweeps: int, never: set[int], data: st.DataObject) -> None:
    swept = Swept(lines, never, data)
    if not swept.fetched:
        return
    held = data.draw(st.integers(1, len(swept.fetched)))
    assert walk(swept.buffer(), swept.stream, sweeps, len(lines), held) == swept.expected(sweeps, held)


@given(lines_of_words, st.integers(1, 40), never_fetched, st.integers(1, 40), st.data())
def test_fillings_by_distances_are_those_of_a_walk(
    lines: Lines, sweeps: int, never: set[int], together: int, data: st.DataObject
) -> None:
    swept = Swept(lines, never, data)
    if not swept.fetched:
        return
    held = data.draw(st.integers(1, len(swept.fetched)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "_TOGETHER", together)
        patch.setattr(distances, "_LEAST_AHEAD", 2)
        found = by_distances(swept.buffer(), swept.stream, sweeps, len(lines), held, WIDEST)
    assert found == swept.expected(sweeps, held)


def test_distances_are_found_once() -> None:
    swept = []

    def stream() -> Iterator[Block]:
        swept.append(1)
        words = np.arange(1009)  # a prime: 7 words a filling are in step after 7 sweeps
        yield Block(words, words, 0, 1009)

    found = by_distances(np.zeros(1009, np.int32), stream, 5, 1009, 7, 1)
    assert found == (5 * 1009 // 7, 5 * 1009 // 7 * 7 - 1, 5 * 1009 % 7, False)
    assert len(swept) == 1


def test_a_block_of_several_folds_tells_the_cycle() -> None:
    block = Block(np.arange(6), np.array([2, 3, 5]), 4, 10)
    assert [block.cycle(place) for place in range(6)] == [42, 43, 45, 52, 53, 55]
