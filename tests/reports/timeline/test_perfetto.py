"""The Perfetto trace: complete events that end with the closed form's cycles, a process a schedule."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array.counts import ACCESSES
from jaxgrad.array.schedules import SCHEDULES
from jaxgrad.reports.timeline import perfetto
from jaxgrad.reports.timeline.runs import first_tiles

GEMM = Gemm(5, 7, 8)


def written(folder: Path, array: Accelerator, tiles: int = 10**6) -> dict[str, Any]:
    shown = [first_tiles(schedule, GEMM, array, tiles) for schedule in SCHEDULES]
    path = perfetto.write(shown, folder / "trace.json", {"title": "a title"})
    assert [found.name for found in folder.iterdir()] == ["trace.json"]
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("double_buffered", [False, True])
def test_each_process_is_a_schedule_of_as_many_cycles_and_words_as_counted(
    tmp_path: Path, double_buffered: bool
) -> None:
    array = Accelerator(4, 3, double_buffered)
    events = written(tmp_path, array)["traceEvents"]
    for process, schedule in enumerate(SCHEDULES, 1):
        own = [event for event in events if event["pid"] == process]
        expected = count(GEMM, array, schedule).as_dict()
        (named,) = [event["args"]["name"] for event in own if event["name"] == "process_name"]
        assert named == f"{schedule}: {expected['cycles']:,} cycles"
        spans = [event for event in own if event["ph"] == "X"]
        assert max(event["ts"] + event["dur"] for event in spans) == expected["cycles"]
        filled = sum(event["args"]["busy_cycles"] for event in spans if event["cat"] in ("stream", "stall"))
        assert filled == expected["cycles"]
        for name in (key.name for key in ACCESSES):
            assert sum(event["args"].get(name, 0) for event in spans) == expected[name]


@pytest.mark.parametrize("double_buffered", [False, True])
def test_events_of_a_row_do_not_overlap(tmp_path: Path, double_buffered: bool) -> None:
    """Perfetto nests what overlaps on a row."""
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in written(tmp_path, Accelerator(4, 3, double_buffered))["traceEvents"]:
        if event["ph"] == "X":
            assert event["dur"] > 0
            rows.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for spans in rows.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))


def test_rows_are_named_and_the_unit_of_time_is_told(tmp_path: Path) -> None:
    trace = written(tmp_path, Accelerator(4, 3))
    names = {event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    assert names == {"load", "stream: dX slot", "stream: dW slot", "drain", "MACs stalled"}
    assert trace["otherData"]["time"] == "1 us is 1 clock cycle"
    assert trace["otherData"]["title"] == "a title"


def test_tiles_left_out_are_told(tmp_path: Path) -> None:
    trace = written(tmp_path, Accelerator(4, 3), tiles=2)
    assert {event["args"]["tile"] for event in trace["traceEvents"] if event["ph"] == "X"} == {0, 1}
    index = SCHEDULES.index("interleaved")
    assert "the first 2 of 6 tiles" in trace["otherData"]["runs"][index]
