"""``jaxgrad trace``: the tiles of one GEMM's backward pass on the array over time, as files to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxgrad.array.emulation import count
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import SCHEDULES
from jaxgrad.base.errors import one_of, positive_integer
from jaxgrad.base.literals import parse_text
from jaxgrad.cli import cache, screen
from jaxgrad.cli.errors import bad_input, flag
from jaxgrad.hardware import Accelerator
from jaxgrad.reports.timeline import perfetto
from jaxgrad.reports.timeline.activities import Activity
from jaxgrad.reports.timeline.animation import SIDES, films, write
from jaxgrad.reports.timeline.gantt import TILES, gantt
from jaxgrad.reports.timeline.registers import check_small
from jaxgrad.reports.timeline.runs import Shown, first_tiles
from jaxgrad.training import runs


def run(*, out: str | None, animation: bool | None, **options: Any) -> int:
    """Writes ``trace.json``, ``gantt.png``, ``gantt.svg`` and, of a small array, ``animation.html``."""
    cache.turn_on()
    terminal = screen.console()
    with bad_input({name: flag(name) for name in options} | {"animation": "--animation"}):
        gemm = Gemm(*(parse_text(options[name], int) for name in ("batch", "in_features", "out_features")))
        array = Accelerator(
            parse_text(options["rows"], int), parse_text(options["cols"], int), options["double_buffered"]
        )
        schedules = _schedules(options["schedule"])
        max_tiles = positive_integer("max_tiles", parse_text(options["max_tiles"], int))
        shown = [first_tiles(schedule, gemm, array, max_tiles) for schedule in schedules]
        left_out = _why_not_animated(gemm, array, asked=animation)
        folder = runs.check_vacant(out) if out is not None else runs.vacant(Path("runs"), "trace")
        runs.create_folder(folder)
    title = _title(gemm, array)
    with _bar(terminal) as bar:
        about = {"title": title, "gemm": asdict(gemm), "array": asdict(array)}
        perfetto.write((_followed(one, bar) for one in shown), folder / "trace.json", about)
    with terminal.status("drawing"):
        first = [first_tiles(schedule, gemm, array, TILES) for schedule in schedules]
        gantt(first, [folder / "gantt.png", folder / "gantt.svg"], title)
    if left_out is None:
        _animate(gemm, array, folder / "animation.html", title, terminal)
    terminal.print(title)
    for one in shown:
        terminal.print(f"  {one.note}", soft_wrap=True)
    if left_out:
        terminal.print(f"no animation: {left_out}", soft_wrap=True)
    terminal.print(f"In {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}", soft_wrap=True)
    terminal.print("Open trace.json in ui.perfetto.dev or chrome://tracing; 1 us there is 1 clock cycle.")
    return 0


def _schedules(text: str) -> list[str]:
    names = [one_of("schedule", name.strip(), SCHEDULES) for name in text.split(",")]
    return list(dict.fromkeys(names))


def _why_not_animated(gemm: Gemm, array: Accelerator, *, asked: bool | None) -> str | None:
    """Why there is no animation; None where there is one. Asked for in vain, it is bad input."""
    if asked is False:
        return "--no-animation"
    try:
        for schedule in SIDES:
            check_small(gemm, array, count(gemm, array, schedule).as_dict()["cycles"])
    except ValueError as error:
        if asked:
            raise
        return str(error).removeprefix("animation: ").partition(", or leave it out")[0]
    return None


def _title(gemm: Gemm, array: Accelerator) -> str:
    b, k, n = gemm.sizes.values()
    buffered = "double-buffered" if array.double_buffered else "single-buffered"
    return f"Gradients of Y[{b},{n}] = X[{b},{k}] W[{k},{n}] on a {array.rows}x{array.cols} array, {buffered}"


def _animate(gemm: Gemm, array: Accelerator, path: Path, title: str, terminal: Console) -> None:
    with terminal.status("recording the registers"):
        write(films(gemm, array), path, title)


def _bar(terminal: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal)


def _followed(shown: Shown, bar: Progress) -> Shown:
    """The run, with a bar that counts its tiles as they are gone through."""

    def follow(own: Iterable[Activity]) -> Iterator[Activity]:
        task = bar.add_task(shown.schedule, total=shown.shown_tiles)
        for one in own:
            bar.update(task, completed=one.tile.number)
            yield one
        bar.update(task, completed=shown.shown_tiles)

    return shown._replace(activities=follow(shown.activities))
