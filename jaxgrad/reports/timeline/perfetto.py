"""Activities in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open.

A process a schedule, a row a kind of activity, one clock cycle as one microsecond. Format: "Trace Event Format", the
Chromium project, complete events (``ph`` X) and metadata (``ph`` M).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jaxgrad.array.counts import by_name
from jaxgrad.base.files import whole
from jaxgrad.reports.style import TENSORS
from jaxgrad.reports.timeline.activities import Activity
from jaxgrad.reports.timeline.runs import Shown

ROWS: dict[tuple[str, ...], str] = {
    ("load",): "load",
    ("stream", "dx"): "stream: dX slot",
    ("stream", "dw"): "stream: dW slot",
    ("drain",): "drain",
    ("stall",): "MACs stalled",
}


def events(shown: Shown, process: int) -> Iterator[dict[str, Any]]:
    """The trace events of one schedule as one process."""
    yield _named("process_name", process, 0, name=shown.note)
    yield _named("process_sort_index", process, 0, sort_index=process)
    for index, name in enumerate(ROWS.values()):
        yield _named("thread_name", process, index + 1, name=name)
        yield _named("thread_sort_index", process, index + 1, sort_index=index)
    rows = {key: index + 1 for index, key in enumerate(ROWS)}
    for activity in shown.activities:
        key = (activity.kind, activity.what) if activity.kind == "stream" else (activity.kind,)
        yield {
            "name": _name(activity),
            "cat": activity.kind,
            "ph": "X",
            "ts": activity.start,
            "dur": activity.cycles,
            "pid": process,
            "tid": rows[key],
            "args": _args(activity),
        }


def write(runs: Iterable[Shown], path: Path, about: dict[str, Any]) -> Path:
    """Writes a trace, event by event, whole or not at all.

    Args:
        runs: the schedules, one process each.
        path: of the JSON file.
        about: what else the metadata says, besides the unit of time.
    """
    notes: list[str] = []
    with whole(path) as partial, partial.open("w", encoding="utf-8") as out:
        out.write('{"traceEvents":[\n')
        separator = ""
        for process, shown in enumerate(runs, 1):
            notes.append(shown.note)
            for event in events(shown, process):
                out.write(separator + json.dumps(event, separators=(",", ":")))
                separator = ",\n"
        meaning = {
            "time": "1 us is 1 clock cycle",
            "place": "times are those of the PE in row 0, column 0; row r, column c meets each wavefront r + c cycles "
            "later",
            "words": "*_reads and *_writes are SRAM words",
        }
        out.write('\n],"displayTimeUnit":"ms","otherData":' + json.dumps(meaning | about | {"runs": notes}) + "}\n")
    return path


def _named(kind: str, process: int, thread: int, **args: Any) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "ts": 0, "pid": process, "tid": thread, "args": args}


def _name(activity: Activity) -> str:
    if activity.kind == "stall":
        return f"stall: {activity.what}"
    slot = " slot" if activity.kind == "stream" and activity.stride > 1 else ""
    return f"tile {activity.tile.number}: {activity.kind} {TENSORS[activity.what]}{slot}"


def _args(activity: Activity) -> dict[str, Any]:
    tile = activity.tile
    args: dict[str, Any] = {"tile": tile.number, "busy_cycles": activity.busy}
    if activity.kind == "stall":
        return args
    return args | {
        "tile_p": tile.p,
        "tile_q": tile.q,
        "real_rows": tile.rows,
        "real_cols": tile.cols,
        "streamed_rows": tile.streamed,
        "cycles_a_streamed_row": activity.stride,
        **by_name(activity.words),
    }
