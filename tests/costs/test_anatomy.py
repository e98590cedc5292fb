"""jaxgrad.costs.anatomy: where the cycles of one layer go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array.counts import ACCESSES, CYCLES
from jaxgrad.array.schedules import INTERLEAVED, TRAINING_SCHEDULES
from jaxgrad.costs.anatomy import Fit, anatomies, anatomy, fits
from tests.costs.layers import arrays

gemms = st.builds(Gemm, *[st.integers(1, 40)] * 3)


@given(gemm=gemms, array=arrays(), schedule=st.sampled_from(TRAINING_SCHEDULES))
def test_its_parts_are_those_of_the_counters(gemm: Gemm, array: Accelerator, schedule: str) -> None:
    taken = anatomy(schedule, gemm, array)
    counts = count(gemm, array, schedule).counts()
    assert taken.cycles == counts[CYCLES] == taken.stream_cycles + taken.other_cycles
    assert taken.accesses == sum(counts[key] for key in ACCESSES)
    assert taken.utilisation == 2 * gemm.macs / (taken.cycles * array.pes) <= 1
    # A wavefront has to cross the array once at least.
    assert taken.other_cycles >= array.rows + array.cols - 2


@pytest.mark.parametrize(
    ("schedule", "tiles", "stream", "rest"),
    [
        # Gemm(8, 9, 10) on 4 x 4: for each of 3 x 3 tiles 2 B of stream, and 3 R + C - 2 of all else.
        ("interleaved", 9, 9 * 16, 9 * 14),
        # 2 x 3 tiles of X, 2 N of stream each.
        ("interleaved_n", 6, 6 * 20, 6 * 14),
        # 9 tiles of W, then 9 of dW, each B of stream and 2 R + C - 2 of all else.
        ("sequential", 18, 18 * 8, 18 * 10),
    ],
)
def test_by_hand(schedule: str, tiles: int, stream: int, rest: int) -> None:
    taken = anatomy(schedule, Gemm(8, 9, 10), Accelerator(4, 4))
    assert (taken.tiles, taken.stream_cycles, taken.other_cycles) == (tiles, stream, rest)


def test_a_choice_says_what_ran() -> None:
    taken = anatomies(TRAINING_SCHEDULES, Gemm(8, 9, 10), Accelerator(4, 4))
    assert tuple(taken) == tuple(TRAINING_SCHEDULES)
    # Two gradients of 6 tiles that stream 9 or 10 rows, 114 cycles each, against 9 that stream 8 twice, 270.
    assert taken["auto"].schedule.name == "ws_only"
    assert taken["auto"].as_dict() == taken["ws_only"].as_dict()
    assert taken["ws_only"].cycles == 2 * 114 < taken["interleaved"].cycles == 270
    assert taken["interleaved"].as_dict()["streamed"] == ["b"]


def test_how_axes_lie_on_the_array() -> None:
    stream, rows, columns = fits(INTERLEAVED, Gemm(7, 9, 10), Accelerator(4, 6))
    assert stream == Fit("b", 7, 4)
    assert (rows, rows.filled) == (Fit("n", 10, 4), 10 / 12)
    assert (columns, columns.filled) == (Fit("k", 9, 6), 9 / 12)
    assert Fit("k", 12, 6).filled == 1
