"""Activities against the closed form: they fill the run's cycles, and read and write its words."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array.choice import backward_mappings
from jaxgrad.array.counts import ACCESSES, CYCLES, Key, by_name
from jaxgrad.array.restrictions import overlapped_drain
from jaxgrad.array.schedules import SCHEDULES, Schedule, find
from jaxgrad.reports.timeline.activities import Activity, activities, stretches, tile_count
from tests.strategies import Case, cases, on_nasty_cases

RECORDS = [*map(find, SCHEDULES), overlapped_drain("interleaved"), overlapped_drain("interleaved_n")]


def walked(case: Case, schedule: Schedule) -> list[Activity]:
    gemm, array = Gemm(case.b, case.k, case.n), Accelerator(case.rows, case.cols, case.double_buffered)
    return list(activities(backward_mappings(schedule, gemm, array), gemm, array))


def counted(case: Case, schedule: Schedule) -> dict[Key, int]:
    array = Accelerator(case.rows, case.cols, case.double_buffered)
    return count(Gemm(case.b, case.k, case.n), array, schedule).counts()


@pytest.mark.parametrize("schedule", RECORDS, ids=str)
@on_nasty_cases
@given(case=cases())
def test_streams_and_stalls_fill_every_cycle_of_the_closed_form(schedule: Schedule, case: Case) -> None:
    seen = walked(case, schedule)
    cycles = counted(case, schedule)[CYCLES]
    taken = Counter(
        cycle for one in seen if one.kind in ("stream", "stall") for cycle in range(one.start, one.stop, one.stride)
    )
    assert taken == dict.fromkeys(range(cycles), 1)
    assert sum(one.busy for one in seen if one.kind in ("stream", "stall")) == cycles
    assert max(one.stop for one in seen) == cycles


@pytest.mark.parametrize("schedule", RECORDS, ids=str)
@on_nasty_cases
@given(case=cases())
def test_stretches_take_all_of_the_run_and_hold_the_streams_of_their_products(schedule: Schedule, case: Case) -> None:
    gemm, array = Gemm(case.b, case.k, case.n), Accelerator(case.rows, case.cols, case.double_buffered)
    mappings = backward_mappings(schedule, gemm, array)
    parts = stretches(mappings, gemm, array)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == counted(case, schedule)[CYCLES]
    assert sum(part.tiles for part in parts) == tile_count(mappings, gemm, array)
    for one in walked(case, schedule):
        if one.kind == "stream":
            (around,) = [part for part in parts if part.start <= one.start < part.stop]
            assert one.what in around.results
            assert one.stop <= around.stop


@pytest.mark.parametrize("schedule", RECORDS, ids=str)
@on_nasty_cases
@given(case=cases())
def test_words_add_up_to_the_accesses_of_the_closed_form(schedule: Schedule, case: Case) -> None:
    total = Counter[Key]()
    for one in walked(case, schedule):
        total.update(one.words)
    expected = counted(case, schedule)
    assert {key: total[key] for key in ACCESSES} == {key: expected[key] for key in ACCESSES}


@pytest.mark.parametrize("schedule", RECORDS, ids=str)
@on_nasty_cases
@given(case=cases())
def test_a_tile_loads_before_it_streams_and_drains_after(schedule: Schedule, case: Case) -> None:
    seen = walked(case, schedule)
    numbers = sorted({one.tile.number for one in seen})
    gemm, array = Gemm(case.b, case.k, case.n), Accelerator(case.rows, case.cols, case.double_buffered)
    mappings = backward_mappings(schedule, gemm, array)
    assert numbers == list(range(tile_count(mappings, gemm, array)))
    # What lies in the PEs, and the products that it is for.
    kept = {
        (name, product.result)
        for mapping in mappings
        for slot, product in enumerate(mapping.products)
        for name in (mapping.operand(slot)[0], product.result)
    }
    for number in numbers:
        own = [one for one in seen if one.tile.number == number]
        streams = {one.what: one for one in own if one.kind == "stream"}
        moves = [one for one in own if one.kind in ("load", "drain")]
        assert moves
        for move in moves:
            of_it = [stream for result, stream in streams.items() if (move.what, result) in kept]
            assert of_it
            assert move.cycles == case.rows
            for stream in of_it:
                assert move.stop <= stream.start if move.kind == "load" else move.start >= stream.stop


@pytest.mark.parametrize("kind", ["load", "drain", "stall"])
@on_nasty_cases
@given(case=cases())
def test_activities_of_a_kind_do_not_overlap(kind: str, case: Case) -> None:
    for schedule in RECORDS:
        own = sorted((one for one in walked(case, schedule) if one.kind == kind), key=lambda one: one.start)
        assert all(before.stop <= after.start for before, after in pairwise(own))


def test_times_of_one_interleaved_tile() -> None:
    gemm, array = Gemm(4, 2, 3), Accelerator(3, 2)
    seen = list(activities(backward_mappings("interleaved", gemm, array), gemm, array))
    assert [(one.kind, one.what, one.start, one.stop) for one in seen] == [
        ("load", "w", 0, 3),
        ("stall", "load", 0, 3),
        ("stream", "dx", 3, 10),
        ("stream", "dw", 4, 11),
        ("stall", "wavefront", 11, 14),
        ("drain", "dw", 14, 17),
        ("stall", "drain", 14, 17),
    ]
    words = {one.kind + one.what: by_name(one.words) for one in seen if one.words}
    assert words == {
        "loadw": {"w_reads": 6},
        "streamdx": {"dy_reads": 12, "psum_writes": 8},
        "streamdw": {"x_reads": 8},
        "draindw": {"dw_writes": 6},
    }


def test_a_tile_loads_in_the_cycles_in_which_the_one_before_drains() -> None:
    gemm, array = Gemm(2, 2, 3), Accelerator(2, 2)
    seen = list(activities(backward_mappings(overlapped_drain("interleaved"), gemm, array), gemm, array))
    assert [(one.kind, one.what, one.tile.number, one.start, one.stop) for one in seen] == [
        ("load", "w", 0, 0, 2),
        ("stall", "load", 0, 0, 2),
        ("stream", "dx", 0, 2, 5),
        ("stream", "dw", 0, 3, 6),
        ("stall", "wavefront", 0, 6, 8),
        ("drain", "dw", 0, 8, 10),
        ("stall", "drain", 0, 8, 10),
        ("load", "w", 1, 8, 10),
        ("stream", "dx", 1, 10, 13),
        ("stream", "dw", 1, 11, 14),
        ("stall", "wavefront", 1, 14, 16),
        ("drain", "dw", 1, 16, 18),
        ("stall", "drain", 1, 16, 18),
    ]
