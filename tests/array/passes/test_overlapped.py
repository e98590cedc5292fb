"""jaxgrad.array.passes.overlapped: compositions no schedule uses. (What schedules use: test_three_truths.)"""

from __future__ import annotations

import pytest

from tests.array.passes.compositions import (
    COMPOSITIONS,
    SHAPES,
    Shape,
    assert_right,
    compose,
    temporary_bytes_a_row,
)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_any_composition(name: str, shape: Shape) -> None:
    assert_right(name, shape, shadows=True)


@pytest.mark.parametrize("shadows", [False, True])
def test_three_slots_that_share_two_operands(shadows: bool) -> None:
    assert_right("os+ws+ws_transposed", SHAPES[0], shadows=shadows)


@pytest.mark.parametrize("name", ["ws+os+ws", "os+ws+os"])
def test_a_tile_loads_while_the_one_before_drains(name: str) -> None:
    """Two loads and a drain, or a load and two drains: the next stream waits for the longer."""
    assert_right(name, SHAPES[0], shadows=False, order="overlapped drain")


@pytest.mark.parametrize("name", ["os+ws", "os+ws+ws"])
@pytest.mark.parametrize("shape", [Shape(1, 2, 2, 4, 3), Shape(2, 5, 3, 4, 2)], ids=["one tile", "two tiles"])
def test_a_later_slot_loads_in_time_where_few_rows_stream_before_it(name: str, shape: Shape) -> None:
    assert_right(name, shape, shadows=True, order="in turn")


def test_sums_that_leave_at_the_right_come_in_again_at_the_left() -> None:
    """A wide array: the sums take longer through the columns than the tiles between take to load and to stream."""
    assert_right("ws+ws_transposed", Shape(1, 2, 9, 1, 4), shadows=True)


def test_memory_grows_with_the_operands_and_not_with_the_array() -> None:
    """A streamed row brings a row of dY, of x and of dX; the planes of PEs are there once, whatever B is."""
    lanes, word = 64, 4
    row = 3 * lanes * word
    pass_ = compose("ws+os", shadows=True)
    assert temporary_bytes_a_row(pass_, lanes, shadows=True) <= 6 * row < lanes * lanes * word
