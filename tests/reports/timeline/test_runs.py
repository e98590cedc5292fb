"""What is shown of a run: all tiles, or the first ones and a note."""

from __future__ import annotations

from jaxgrad import Accelerator, Gemm
from jaxgrad.reports.timeline.runs import first_tiles
from tests.refusals import Refusal, assert_refused

GEMM, ARRAY = Gemm(4, 6, 6), Accelerator(3, 3)


def test_a_run_that_is_shown_whole_says_no_more_than_its_cycles() -> None:
    shown = first_tiles("interleaved", GEMM, ARRAY, 4)
    assert shown.whole
    assert shown.note == "interleaved: 72 cycles"
    assert max(one.stop for one in shown.activities) == 72


def test_a_run_that_is_cut_says_so() -> None:
    shown = first_tiles("sequential", GEMM, ARRAY, 5)
    assert not shown.whole
    assert shown.note == "sequential: 88 cycles, the first 5 of 8 tiles"
    assert {one.tile.number for one in shown.activities} == {0, 1, 2, 3, 4}


def test_only_the_tiles_that_are_shown_are_walked() -> None:
    """A run of 10^12 tiles."""
    shown = first_tiles("interleaved", Gemm(1, 10**6, 10**6), Accelerator(1, 1), 3)
    assert shown.tiles == 10**12
    assert len(list(shown.activities)) == 3 * 6


def test_an_unknown_schedule_is_refused() -> None:
    assert_refused(Refusal(lambda: first_tiles("wss", GEMM, ARRAY, 3), "schedule", "'wss'", "interleaved"))
