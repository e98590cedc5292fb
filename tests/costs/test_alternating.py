"""jaxgrad.costs.alternating: blocks of dY that dX and dW share, against counting them one by one."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.costs.alternating import words_shared


def counted(lengths: tuple[int, int], block: tuple[int, int], window: int) -> int:
    """dX uses block (i, j) in step i cols + j, dW in step j rows + i."""
    rows, cols = (-(-length // size) for length, size in zip(lengths, block, strict=True))
    return sum(
        min(block[0], lengths[0] - i * block[0]) * min(block[1], lengths[1] - j * block[1])
        for i, j in itertools.product(range(rows), range(cols))
        if abs((i * cols + j) - (j * rows + i)) <= window
    )


@settings(max_examples=500)
@given(
    b=st.integers(1, 40), n=st.integers(1, 40), block=st.tuples(*[st.integers(1, 40)] * 2), window=st.integers(0, 1700)
)
def test_shared_words(b: int, n: int, block: tuple[int, int], window: int) -> None:
    block = min(block[0], b), min(block[1], n)
    assert words_shared((b, n), block, window) == counted((b, n), block, window)


@settings(max_examples=50)
@given(b=st.integers(1, 12), n=st.integers(1, 12))
def test_every_window_of_small_grids(b: int, n: int) -> None:
    for window in range(b * n + 2):
        assert words_shared((b, n), (1, 1), window) == counted((b, n), (1, 1), window)


def test_many_layers_at_once() -> None:
    rng = np.random.default_rng(0)
    b, n, rows, cols, window = (rng.integers(1, 30, 200) for _ in range(5))
    rows, cols = np.minimum(rows, b), np.minimum(cols, n)
    expected = [counted((int(b[i]), int(n[i])), (int(rows[i]), int(cols[i])), int(window[i])) for i in range(len(b))]
    assert words_shared((b, n), (rows, cols), window).tolist() == expected


def test_a_single_row_or_column_is_shared_whole() -> None:
    assert words_shared((1, 50), (1, 3), 0) == 50
    assert words_shared((50, 1), (3, 1), 0) == 50


def test_the_first_and_the_last_block_are_always_shared() -> None:
    """A square grid's diagonal is used by both in the same step."""
    assert words_shared((30, 30), (10, 10), 0) == 300


def test_exact_past_64_bits() -> None:
    side = 2**33
    assert int(words_shared((side, side), (2**32, 2**32), 0)) == 2 * 2**64
