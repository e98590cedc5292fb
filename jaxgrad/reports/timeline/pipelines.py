"""Pipelines over time: a Gantt chart of warm-up and steady state, and a Perfetto trace of arrays and links.

Format: "Trace Event Format", the Chromium project, complete events (``ph`` X) and metadata (``ph`` M).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from jaxgrad.base.files import whole
from jaxgrad.pipelines.pipeline import OpKind
from jaxgrad.pipelines.plans import Plan
from jaxgrad.reports.numbers import tick
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import SCREEN, FigureStyle

_BATCHES = 3  # shown in steady state, after the warm-up
_ARRAY_INCHES = 0.2
_PANEL_INCHES = 0.6


class _Style(NamedTuple):
    label: str
    colour: str
    hatch: str


_STYLES: dict[OpKind, _Style] = {
    "F": _Style("forward", "#0072B2", ""),
    "B": _Style("backward (dX where dW is apart)", "#E69F00", ""),
    "W": _Style("dW, or the sum of gradients", "#009E73", r"\\\\"),
    "U": _Style("update of weights", "#CC79A7", ""),
}
_SENT = _Style("words to a neighbour", "#999999", "")


def gantt(plans: Mapping[str, Plan], path: Path, title: str, time: str, *, style: FigureStyle = SCREEN) -> list[Path]:
    """A panel a pipeline, a row an array, all on one time axis: the warm-up and some batches of the steady state.

    Args:
        plans: by pipeline.
        path: of the files, without their suffixes.
        title: of the figure.
        time: its unit.
        style: how it is printed.
    """
    canvas.some("plans", plans)
    heights = [_PANEL_INCHES + _ARRAY_INCHES * plan.shape.processors for plan in plans.values()]
    figure = Page(1.1 + sum(heights), style)
    panels = figure.subplots(len(plans), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    last = max(_shown(plan) for plan in plans.values())
    for axes, (name, plan) in zip(panels, plans.items(), strict=True):
        _panel(axes, plan, last)
        axes.set_title(f"{name}: a batch every {tick(plan.period)}", fontsize=style.tick_pt, loc="left")
    canvas.label(panels[-1].xaxis, f"time [{time}]")
    panels[-1].xaxis.set_major_formatter(FuncFormatter(tick))
    panels[-1].xaxis.set_major_locator(MaxNLocator(nbins=style.ticks(8)))
    done = {task.op.kind for plan in plans.values() for task in plan.simulation.tasks} | {"F", "B", "W"}
    looks = [look for kind, look in _STYLES.items() if kind in done]
    handles = {look.label: Patch(facecolor=look.colour, hatch=look.hatch) for look in (*looks, _SENT)}
    canvas.legend(figure, handles, 4)
    return canvas.save(figure, path, title)


def _shown(plan: Plan) -> float:
    """Up to the end of some batches after the first one."""
    ends = plan.simulation.batch_ends
    return ends[min(_BATCHES, len(ends)) - 1]


def _panel(axes: Axes, plan: Plan, last: float) -> None:
    tasks: dict[tuple[OpKind, int], list[tuple[int, int]]] = {}
    for task in plan.simulation.tasks:
        if task.start < last:
            tasks.setdefault((task.op.kind, task.processor), []).append((task.start, task.stop - task.start))
    for (kind, processor), spans in tasks.items():
        look = _STYLES[kind]
        axes.broken_barh(
            spans, (processor - 0.4, 0.8), facecolor=look.colour, hatch=look.hatch, edgecolor="white", linewidth=0.3
        )
    sent: dict[float, list[tuple[int, int]]] = {}
    for message in plan.simulation.messages:
        if message.start < last:
            middle = (message.source + message.target) / 2
            sent.setdefault(middle, []).append((message.start, message.stop - message.start))
    for middle, spans in sent.items():
        axes.broken_barh(spans, (middle - 0.1, 0.2), facecolor=_SENT.colour)
    axes.set(xlim=(0, last), ylim=(plan.shape.processors - 0.5, -0.5))
    style = canvas.style_of(axes)
    axes.set_ylabel("array", fontsize=style.tick_pt)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.tick_params(labelsize=style.note_pt)


def write(plans: Mapping[str, Plan], path: Path, about: Mapping[str, Any]) -> Path:
    """Writes a trace, whole or not at all: a process a pipeline, a track an array, and one for each link that is used.

    Args:
        plans: by pipeline.
        path: of the JSON file.
        about: what its metadata says.
    """
    with whole(path) as partial, partial.open("w", encoding="utf-8") as out:
        out.write('{"traceEvents":[\n')
        separator = ""
        for process, (name, plan) in enumerate(plans.items(), 1):
            for event in _events(name, plan, process):
                out.write(separator + json.dumps(event, separators=(",", ":")))
                separator = ",\n"
        out.write('\n],"displayTimeUnit":"ms","otherData":' + json.dumps(about) + "}\n")
    return path


def _events(name: str, plan: Plan, process: int) -> Iterator[dict[str, Any]]:
    simulation = plan.simulation
    links = sorted({(message.source, message.target) for message in simulation.messages})
    tracks = [f"array {number}" for number in range(plan.shape.processors)]
    tracks += [f"link {source} to {target}" for source, target in links]
    yield _named("process_name", process, 0, name=name)
    for number, track in enumerate(tracks, 1):
        yield _named("thread_name", process, number, name=track)
        yield _named("thread_sort_index", process, number, sort_index=number)
    for task in simulation.tasks:
        yield _complete(process, task.processor + 1, task.op, task.start, task.stop)
    for message in simulation.messages:
        track = plan.shape.processors + links.index((message.source, message.target)) + 1
        yield _complete(process, track, message.op, message.start, message.stop)


def _complete(process: int, track: int, op: Any, start: int, stop: int) -> dict[str, Any]:
    return {
        "name": f"{op.kind} {op.item}", "cat": op.kind, "ph": "X", "ts": start, "dur": stop - start, "pid": process,
        "tid": track, "args": {"stage": op.stage, "item": op.item},
    }  # fmt: skip


def _named(kind: str, process: int, thread: int, **args: Any) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "ts": 0, "pid": process, "tid": thread, "args": args}
