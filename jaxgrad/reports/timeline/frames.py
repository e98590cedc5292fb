"""A recorded run as frames to draw: each PE's registers and slot, and the words at the edges, cycle by cycle.

The values are the recorded ones, and so are the elements that a PE multiplies. Which slot a PE works in, and whose
words stand at the edges, follows from the run's activities: the PE in row r and column c does in cycle t what the top
left PE did in cycle t - r - c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgrad.array.counts import READS, SRAM, Key
from jaxgrad.hardware import Accelerator
from jaxgrad.reports.style import TENSORS
from jaxgrad.reports.timeline.activities import Activity, Tile
from jaxgrad.reports.timeline.elements import Element
from jaxgrad.reports.timeline.registers import Cycle, Recording

IDLE, DX, DW, LOAD, DRAIN, PADDING = range(6)
"""What a PE does in a cycle."""

_SLOTS = {"dx": DX, "dw": DW}


class _Word(NamedTuple):
    """A word at an edge, as a frame shows it."""

    lane: int
    name: str
    value: float
    read: bool = True  # False: held from the cycle before, or made up at the edge
    element: Element | None = None  # of an operand


class _When(NamedTuple):
    """The activity of the top left PE and of its column in each cycle, with how far it has come."""

    waves: dict[int, tuple[Activity, int]]
    loads: dict[int, tuple[Activity, int]]
    drains: dict[int, tuple[Activity, int]]

    @classmethod
    def of(cls, activities: Sequence[Activity]) -> _When:
        def spread(kind: str) -> dict[int, tuple[Activity, int]]:
            chosen = [activity for activity in activities if activity.kind == kind]
            return {
                activity.start + i * activity.stride: (activity, i) for activity in chosen for i in range(activity.busy)
            }

        return cls(spread("stream"), spread("load"), spread("drain"))


def frames(schedule: str, recording: Recording, activities: Sequence[Activity], array: Accelerator) -> dict[str, Any]:
    """A run as data for JSON.

    Args:
        schedule: its name.
        recording: what ``registers.record`` saw.
        activities: the same run's, all of them.
        array: the hardware.
    """
    when = _When.of(activities)
    shown: list[dict[str, Any]] = []
    dy_reads = macs = 0
    for time, cycle in enumerate(recording.cycles):
        doing = [[_doing(when, time, row, col, array) for col in range(array.cols)] for row in range(array.rows)]
        left, top = _left(when, cycle, time, array), _top(when, cycle, time, array)
        dy_reads += sum(word.read for word in (*left, *top) if word.name == "dY")
        macs += sum(code in (DX, DW) for line in doing for code in line)
        planes = cycle.registers | {n: p for n, p in (("h", cycle.h), ("v", cycle.v)) if p is not None}
        shown.append(
            {
                "doing": doing,
                "planes": {name: [[number(x) for x in line] for line in plane] for name, plane in planes.items()},
                "left": _plain(left),
                "top": _plain(top),
                "bottom": _plain(_bottom(when, cycle, time, array)),
                "right": _plain(_right(when, cycle, time, array)),
                "dy_reads": dy_reads,
                "macs": macs,
                "terms": [[term[1:] if term else 0 for term in line] for line in cycle.terms],
            }
        )
    names = dict.fromkeys(name for frame in shown for name in frame["planes"])
    order = [name for name in ("w", "w_next", "acc", "acc_next", "h", "v") if name in names]
    return {"schedule": schedule, "rows": array.rows, "cols": array.cols, "planes": order, "frames": shown}


def _doing(when: _When, time: int, row: int, col: int, array: Accelerator) -> int:
    if time - row - col in when.waves:
        activity, _ = when.waves[time - row - col]
        return _SLOTS[activity.what] if _real(activity.tile, row, col) else PADDING
    at = _shifting(time, col, array)
    if at in when.loads and when.loads[at][1] >= row:
        return LOAD
    if at in when.drains and when.drains[at][1] <= row:
        return DRAIN
    return IDLE


def _real(tile: Tile, row: int, col: int) -> bool:
    return row < tile.rows and col < tile.cols


def _shifting(time: int, col: int, array: Accelerator) -> int:
    """The cycle of column 0's shift that column ``col`` makes now: columns lag where shadow registers shift."""
    return time - col if array.double_buffered else time


def _left(when: _When, cycle: Cycle, time: int, array: Accelerator) -> list[_Word]:
    words = []
    for row in range(array.rows):
        activity, _ = when.waves.get(time - row, (None, 0))
        if activity is not None and activity.edges and cycle.h_in is not None and row < activity.tile.rows:
            name = activity.edges.left
            is_read = Key(SRAM, name, READS) in activity.words
            words.append(_Word(row, TENSORS[name], float(cycle.h_in[row, 0]), is_read, cycle.left[row]))
    return words


def _right(when: _When, cycle: Cycle, time: int, array: Accelerator) -> list[_Word]:
    words = []
    for row in range(array.rows):
        activity, _ = when.waves.get(time - row - (array.cols - 1), (None, 0))
        name = activity.edges.right if activity is not None and activity.edges else None
        if activity is not None and name and cycle.h is not None and row < activity.tile.rows:
            words.append(_Word(row, TENSORS[name], float(cycle.h[row, -1])))
    return words


def _top(when: _When, cycle: Cycle, time: int, array: Accelerator) -> list[_Word]:
    words = []
    for col in range(array.cols):
        activity, step = when.loads.get(_shifting(time, col, array), (None, 0))
        if activity is not None and cycle.loaded is not None and _real(activity.tile, array.rows - 1 - step, col):
            words.append(_Word(col, TENSORS[activity.what], float(cycle.loaded[col]), element=cycle.loading[col]))
        activity, _ = when.waves.get(time - col, (None, 0))
        if activity is not None and activity.edges and cycle.v_in is not None and col < activity.tile.cols:
            name = activity.edges.top
            is_read = name != "psum" or activity.tile.p > 0
            words.append(_Word(col, TENSORS[name], float(cycle.v_in[0, col]), is_read, cycle.top[col]))
    return words


def _bottom(when: _When, cycle: Cycle, time: int, array: Accelerator) -> list[_Word]:
    words = []
    for col in range(array.cols):
        activity, _ = when.waves.get(time - (array.rows - 1) - col, (None, 0))
        name = activity.edges.bottom if activity is not None and activity.edges else None
        if activity is not None and name and cycle.v is not None and col < activity.tile.cols:
            words.append(_Word(col, TENSORS[name], float(cycle.v[-1, col])))
        activity, step = when.drains.get(_shifting(time, col, array), (None, 0))
        if activity is not None and cycle.drained is not None and _real(activity.tile, array.rows - 1 - step, col):
            words.append(_Word(col, TENSORS[activity.what], float(cycle.drained[col])))
    return words


def _plain(words: list[_Word]) -> list[dict[str, Any]]:
    return [
        word._asdict() | {"value": number(word.value), "element": word.element and word.element[1:]} for word in words
    ]


def number(value: float | np.floating[Any]) -> int | float | str:
    """A short number for JSON; NaN and infinity, which it lacks, as text."""
    number = float(value)
    if not np.isfinite(number):
        return str(number)
    return int(number) if number.is_integer() else float(f"{number:.3g}")
