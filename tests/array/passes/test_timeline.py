"""jaxgrad.array.passes.timeline: the tiles of a run never get in each other's way."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array import closed_form
from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.timeline import Order, Timeline, double_buffered, groups, single_buffered
from jaxgrad.hardware import Accelerator

KEEPS: tuple[Keeps, ...] = ("operand", "result")
RUNS: list[tuple[tuple[Keeps, ...], Order]] = [
    *((keeps, "alternate") for length in (1, 2, 3) for keeps in product(KEEPS, repeat=length)),
    *((keeps, "in turn") for length in (1, 2, 3) for keeps in product(KEEPS, repeat=length)),
    (("operand", "nothing"), "alternate"),
    (("result", "operand", "nothing"), "alternate"),
    *((keeps, "overlapped drain") for length in (1, 2, 3) for keeps in product(KEEPS, repeat=length)),
]


def test_groups() -> None:
    assert groups(("operand", "result"), "alternate") == [("operand", "result")]
    assert groups(("operand", "result"), "in turn") == [("operand",), ("result",)]
    assert groups(("operand", "result"), "overlapped drain") == [("operand", "result")]


def test_interleaved_by_hand() -> None:
    """Two tiles of three streamed rows on a 2 x 4 array: six waves a tile, more than a load or a drain takes."""
    timeline = double_buffered(("operand", "result"), "alternate", 3, (2, 1), 2, 4)
    ws, os = timeline.slots
    assert timeline.period == 6
    # Loads in waves 0-1 (and 6-7), streams in 2-7 and 8-13, the last drain behind the last wave's way to PE (1, 3).
    assert (ws.start, ws.stride, ws.offset, ws.load) == (2, 2, 0, 0)
    assert (os.start, os.stride, os.offset, os.drain) == (2, 2, 1, 8)
    assert timeline.cycles == 14 + 1 + 3 + 2


def test_sequential_by_hand() -> None:
    """Two tiles of one streamed row on a 3 x 1 array: a load or a drain takes longer than a tile's stream."""
    timeline = double_buffered(("operand", "result"), "in turn", 1, (1, 2), 3, 1)
    ws, os = timeline.slots
    assert timeline.period == 3
    # ws: loads in waves 0-2 and 3-5, rows in waves 3 and 6; os: rows in 7 and 10, drained from 8 and from 11.
    assert (ws.start, ws.stride, ws.offset, ws.load) == (3, 1, 0, 0)
    assert (os.start, os.stride, os.offset, os.drain) == (7, 1, 0, 8)
    assert timeline.cycles == 11 + 2 + 0 + 3


def test_in_turn_the_other_way_round_by_hand() -> None:
    """One tile of one streamed row on a 3 x 1 array: ws loads before the row of os, which drains after that of ws."""
    timeline = double_buffered(("result", "operand"), "in turn", 1, (1, 1), 3, 1)
    os, ws = timeline.slots
    # ws loads in waves 0-2; the rows are waves 2 and 3; os drains from 3.
    assert (os.start, os.drain) == (2, 3)
    assert (ws.start, ws.load) == (3, 0)
    assert (
        timeline.cycles
        == 3 + 2 + 0 + 3
        == closed_form.cycles(("result", "operand"), "in turn", 1, 1, 1, Accelerator(3, 1, True))
    )


@settings(max_examples=500)
@given(
    run=st.sampled_from(RUNS),
    streamed=st.integers(1, 9),
    tiles=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    shadows=st.booleans(),
    rows=st.integers(1, 6),
    cols=st.integers(1, 6),
)
def test_nothing_is_in_two_places(
    run: tuple[tuple[Keeps, ...], Order], streamed: int, tiles: tuple[int, int], shadows: bool, rows: int, cols: int
) -> None:
    """As PE (0, 0) sees it: one wave a cycle, one load and one drain at a time, each when its data are there."""
    keeps, order = run
    if shadows or order == "in turn":
        timeline = double_buffered(keeps, order, streamed, tiles, rows, cols)
    else:
        timeline = single_buffered(keeps, order, streamed, tiles, rows, cols)
        if order == "alternate":
            assert_one_tile_at_a_time(timeline, keeps, streamed, rows, cols)
        assert_streams_or_shifts(timeline, keeps, streamed, tiles[0] * tiles[1], rows, cols)
    waves: list[int] = []
    loading: list[int] = []
    draining: list[int] = []
    for slot, kept in zip(timeline.slots, keeps, strict=True):
        loaded_until = drained_until = 0
        for tile in range(tiles[0] * tiles[1]):
            begin = slot.start + tile * timeline.period
            own = [begin + slot.offset + row * slot.stride for row in range(streamed)]
            waves += own
            if kept == "operand":
                load = slot.load + tile * timeline.period
                assert load >= loaded_until, "the shadow is still to be taken over by the tile before"
                assert load + rows <= own[0], "the operand is there when its first row comes"
                loaded_until = own[0]
                loading += range(load, load + rows)
            elif kept == "nothing":
                if tile >= tiles[0]:
                    # The column of tiles before has just let go of its sums.
                    assert own[0] - tiles[0] * timeline.period + cols <= own[0]
            else:
                drain = slot.drain + tile * timeline.period
                assert drain > own[-1], "the sum is complete"
                assert own[-1] >= drained_until - 1, "the shadow has let the last sum go, row for row"
                drained_until = drain + rows
                draining += range(drain, drain + rows)
    assert min(waves) >= 0
    for link in (waves, loading, draining):
        assert len(link) == len(set(link))
        assert min(link, default=0) >= 0
    # The corner PE is rows - 1 + cols - 1 cycles behind the first one, and drains like every other.
    lag = (cols - 1) * timeline.lag if draining and max(draining) > max(waves) else cols - 1
    assert timeline.cycles == max(max(waves), max(draining, default=0)) + 1 + (rows - 1) + lag


def assert_one_tile_at_a_time(
    timeline: Timeline, keeps: tuple[Keeps, ...], streamed: int, rows: int, cols: int
) -> None:
    """Loads, then waves through to the far corner, then drains, all before the next tile's loads."""
    loads = [slot.load for slot, kept in zip(timeline.slots, keeps, strict=True) if kept == "operand"]
    drains = [slot.drain + rows - 1 for slot, kept in zip(timeline.slots, keeps, strict=True) if kept == "result"]
    assert loads == [rows * index for index in range(len(loads))]
    start = timeline.slots[0].start
    assert start == rows * len(loads)
    crossed = start + len(keeps) * streamed + rows + cols - 2
    assert drains == [crossed + rows * index for index in range(len(drains))]
    assert timeline.period == crossed + rows * len(drains)
    assert timeline.lag == 0


def assert_streams_or_shifts(
    timeline: Timeline, keeps: tuple[Keeps, ...], streamed: int, tiles: int, rows: int, cols: int
) -> None:
    """In each cycle a wave is somewhere in the array, or the registers shift: never both, and never neither."""
    streaming: set[int] = set()
    shifting: set[int] = set()
    for tile in range(tiles):
        begin = timeline.slots[0].start + tile * timeline.period
        streaming |= set(range(begin, begin + len(keeps) * streamed + rows + cols - 2))
        for slot, kept in zip(timeline.slots, keeps, strict=True):
            first = (slot.load if kept == "operand" else slot.drain + rows - 1) + tile * timeline.period
            shifting |= set(range(first, first + rows)) if kept != "nothing" else set()
    assert not streaming & shifting
    assert streaming | shifting == set(range(timeline.cycles))


def test_a_drain_overlaps_with_the_next_load_by_hand() -> None:
    """Two tiles of two streamed rows on 2 x 2 PEs: the second loads in cycles 8 and 9, as the first drains."""
    timeline = single_buffered(("operand", "result"), "overlapped drain", 2, (2, 1), 2, 2)
    ws, os = timeline.slots
    assert (ws.load, ws.start, os.drain + 1) == (0, 2, 8)
    assert (timeline.period, timeline.cycles) == (8, 18)


@pytest.mark.parametrize("streamed", [1, 2, 3, 7])
def test_tiles_are_as_close_as_streams_and_drains_allow(streamed: int) -> None:
    assert double_buffered(("operand",), "alternate", streamed, (5, 1), 3, 1).period == max(streamed, 3)
    assert double_buffered(("result",), "alternate", streamed, (5, 1), 3, 1).period == max(streamed, 3)
    assert double_buffered(("operand", "result"), "alternate", streamed, (5, 1), 3, 1).period == max(2 * streamed, 3)
    assert double_buffered(("operand", "result"), "in turn", streamed, (5, 1), 3, 1).period == max(streamed, 3)


@pytest.mark.parametrize(("tiles", "period"), [((1, 1), 3), ((1, 2), 9), ((2, 2), 5), ((3, 2), 3), ((9, 1), 3)])
def test_sums_that_flow_right_keep_columns_of_tiles_apart(tiles: tuple[int, int], period: int) -> None:
    """Nine columns, after which the sums of one column of tiles come in again for the next: a load takes 3 cycles."""
    assert double_buffered(("operand", "nothing"), "alternate", 1, tiles, 3, 9).period == period
