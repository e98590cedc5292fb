"""``jaxgrad trace``: the tiles of one GEMM's backward pass on the array over time, as files to look at."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaxgrad.base.errors import InputError, one_of
from jaxgrad.cli import choices
from jaxgrad.cli.like import LIKE, LIKE_CLASSES, LIKE_MODEL, LIKE_SHAPE, sized
from jaxgrad.cli.machine import machine_of
from jaxgrad.cli.options import ARRAY, OUTPUT, SIZE, Shape, file, given, option, path
from jaxgrad.cli.output_options import NO_TITLE, STYLE, WIDTH, figure_style
from jaxgrad.cli.shared_options import COLS, DOUBLE_BUFFERED, GEMM_BATCH, IN_FEATURES, OUT_FEATURES, ROWS

if TYPE_CHECKING:
    from rich.console import Console

    from jaxgrad.array.gemm import Gemm
    from jaxgrad.hardware import Accelerator
    from jaxgrad.reports.timeline.runs import Shown


class Names(tuple[str, ...]):
    """Schedules, each once."""

    def __str__(self) -> str:
        return ",".join(self)

    @classmethod
    def parsed(cls, name: str, value: Any) -> Names:
        """A rule: names with commas between."""
        if isinstance(value, cls):
            return value
        schedules = choices.schedules()
        return cls(dict.fromkeys(one_of(name, schedule.strip(), schedules) for schedule in value.split(",")))


_PAIR = Names(("interleaved", "sequential"))


def trace(
    context: typer.Context,
    batch: Annotated[int, GEMM_BATCH] = 4,
    in_features: Annotated[int, IN_FEATURES] = 6,
    out_features: Annotated[int, OUT_FEATURES] = 6,
    like: Annotated[str | None, LIKE] = None,
    model: Annotated[str | None, LIKE_MODEL] = None,
    input_shape: Annotated[Shape | None, LIKE_SHAPE] = None,
    classes: Annotated[int | None, LIKE_CLASSES] = None,
    rows: Annotated[int, ROWS] = 3,
    cols: Annotated[int, COLS] = 3,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = False,
    machine: Annotated[
        Path | None,
        option(
            "--machine",
            "FILE",
            "Instead: a TOML file with a section [machine]. The array is taken from it and nothing else: a trace is of "
            "the array's own time, in which no memory stalls it.",
            ARRAY,
            rule=file,
        ),
    ] = None,
    schedule: Annotated[
        Names,
        option(
            "--schedule",
            "NAMES",
            "One, or several with commas: interleaved, interleaved_n, interleaved_k, sequential, ws_only, os_only, "
            "free, auto, best, ws (dX alone), os (dW alone).",
            ARRAY,
            rule=Names.parsed,
        ),
    ] = _PAIR,
    max_tiles: Annotated[
        int, option("--max-tiles", "N", "Tiles a schedule in the trace, the first ones.", OUTPUT, rule=SIZE)
    ] = 10_000,
    animation: Annotated[
        bool | None,
        option(
            "--animation/--no-animation",
            None,
            "Whether to record the registers, cycle by cycle.",
            OUTPUT,
            default="if the array is 8x8 at most and the runs are short",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        option("--out", "DIR", "Where the files go, new or empty.", OUTPUT, rule=path, default="runs/trace-NUMBER"),
    ] = None,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
) -> int:
    """Write what tiles do on the array: a Perfetto trace, a Gantt chart, and an animation of the registers."""
    from jaxgrad.cli import cache, progress, screen
    from jaxgrad.reports.timeline import perfetto
    from jaxgrad.reports.timeline.gantt import gantt
    from jaxgrad.reports.timeline.runs import first_tiles
    from jaxgrad.training import runs

    cache.turn_on()
    terminal = screen.console()
    array = machine_of(machine, rows, cols, double_buffered, given(context)).array
    layer = sized(context.params, given(context))
    gemm = layer.gemm
    shown = [first_tiles(name, gemm, array, max_tiles) for name in schedule]
    left_out = _why_not_animated(schedule, gemm, array, asked=animation)
    folder = runs.vacant(Path("runs"), "trace") if out is None else runs.check_vacant(out)
    runs.create_folder(folder)
    title = _title(gemm, array)
    about = {"title": title, "gemm": asdict(gemm), "array": asdict(array)}
    perfetto.write((_followed(run, terminal) for run in shown), folder / "trace.json", about)
    with progress.busy("drawing", terminal):
        gantt(schedule, gemm, array, folder / "gantt", title, style=figure_style(style, width, no_title))
    if left_out is None:
        _animate(schedule, gemm, array, folder / "animation.html", title, terminal)
    terminal.print(f"{title}. {layer.note}" if layer.note else title, soft_wrap=True)
    for run in shown:
        terminal.print(f"  {run.note}", soft_wrap=True)
    if left_out:
        terminal.print(f"no animation: {left_out}", soft_wrap=True)
    terminal.print(f"In {folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}", soft_wrap=True)
    terminal.print("Open trace.json in ui.perfetto.dev or chrome://tracing; 1 us there is 1 clock cycle.")
    return 0


def _why_not_animated(schedules: Names, gemm: Gemm, array: Accelerator, *, asked: bool | None) -> str | None:
    """Why there is no animation; None where there is one. Asked for in vain, it is bad input."""
    from jaxgrad.array.counting import count
    from jaxgrad.reports.timeline.registers import check_small

    if asked is False:
        return "--no-animation"
    try:
        for schedule in schedules:
            check_small(gemm, array, count(gemm, array, schedule).as_dict()["cycles"])
    except InputError as error:
        if error.field != "animation":
            raise
        if asked:
            remedy = f"{error.remedy}, or leave it out with --no-animation"
            raise InputError(error.field, error.value, remedy, problem=error.problem) from None
        return f"{error.problem}; {error.remedy}"
    return None


def _title(gemm: Gemm, array: Accelerator) -> str:
    b, k, n = gemm.sizes.values()
    buffered = "double-buffered" if array.double_buffered else "single-buffered"
    return f"Gradients of Y[{b},{n}] = X[{b},{k}] W[{k},{n}] on a {array.rows}x{array.cols} array, {buffered}"


def _animate(schedules: Names, gemm: Gemm, array: Accelerator, file: Path, title: str, terminal: Console) -> None:
    from jaxgrad.cli import progress
    from jaxgrad.reports.timeline.animation import films, write

    with progress.busy("recording the registers", terminal):
        write(films(schedules, gemm, array), file, title)


def _followed(shown: Shown, terminal: Console) -> Shown:
    """The run, with a bar that counts its tiles as they are gone through."""
    from jaxgrad.cli import progress

    followed = progress.follow(
        shown.activities,
        terminal,
        total=shown.shown_tiles,
        label=lambda _: shown.schedule,
        place=lambda activity: activity.tile.number,
        every_s=0.1,
    )
    return shown._replace(activities=followed)
