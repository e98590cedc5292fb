"""A buffer along any stream against a walk word by word."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.scalesim.walk import ALWAYS_HELD, Block, walk
from tests.scalesim import oracle

lines_of_words = st.lists(st.lists(st.integers(0, 15), max_size=4), min_size=1, max_size=12)


@given(lines_of_words.filter(any), st.integers(1, 40), st.sets(st.integers(0, 15), max_size=3), st.data())
def test_fillings_are_those_of_a_walk(
    lines: list[list[int]], sweeps: int, never: set[int], data: st.DataObject
) -> None:
    fetched = {word for line in lines for word in line} - never
    if not fetched:
        return
    held = data.draw(st.integers(1, len(fetched)))
    cut = data.draw(st.integers(0, len(lines)))
    buffer = np.zeros(16, np.int32)
    buffer[list(never)] = ALWAYS_HELD

    def stream():
        for start, part in ((0, lines[:cut]), (cut, lines[cut:])):
            words = np.array([word for line in part for word in line], np.int64)
            cycle = np.repeat(np.arange(start, start + len(part)), [len(line) for line in part])
            if words.size:
                yield Block(words, cycle, 0, len(lines))

    expected = oracle.fillings([[word for word in line if word not in never] for line in lines * sweeps], held)
    assert walk(buffer, stream, sweeps, len(lines), held) == expected


def test_a_block_of_several_folds_tells_the_cycle() -> None:
    block = Block(np.arange(6), np.array([2, 3, 5]), 4, 10)
    assert [block.cycle(place) for place in range(6)] == [42, 43, 45, 52, 53, 55]
