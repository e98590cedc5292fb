"""How far a command is: all that tells of what takes a while, on a terminal only.

``follow`` for what can be counted, with the time that is left; ``busy`` for what can't; ``tell_late`` for a part of it
that may be long; ``tell_pace`` for what is known to be long before it begins.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task

Item = TypeVar("Item")
_WORTH_TELLING_S = 30.0
_LATE_S = 2.0
_BAR_WIDTH = 20  # the one column that gives way where a terminal is narrow


def tell_pace(seconds: float) -> None:
    """Says on standard error what a run at register fidelity will take, where that is long."""
    from jaxgrad.array.pace import duration

    if seconds >= _WORTH_TELLING_S:
        print(
            f"note: register fidelity will take {duration(seconds)} on one core as a scan, besides compiling, and less "
            "where a kernel runs; tile and native count the same in less",
            file=sys.stderr,
            flush=True,
        )


class Pace:
    """How long what is left will take, by how long took what was done.

    A unit is expected to take the mean time of those that were timed. One under way that takes longer already raises
    the mean, so that the time left grows while something is slow, and never stands still.

    >>> clock = iter([0.0, 10.0, 10.0, 14.0, 30.0]).__next__
    >>> pace = Pace(total=5, clock=clock)
    >>> pace.reach(1)  # took 10 s
    >>> [pace.left_s() for _ in range(3)]  # 4 left; 4 s later; and the second unit takes 20 s so far
    [40.0, 36.0, 45.0]

    Args:
        total: how much there is in all.
        done: how much was done before.
        clock: seconds, from any start.
    """

    def __init__(self, total: float, done: float = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._done, self._clock = total, done, clock
        self._under_way = 1.0
        self._timed_units = self._timed_s = 0.0
        self._since = clock()

    def begin(self, size: float) -> None:
        """So much is under way."""
        self._under_way = size

    def reach(self, done: float, *, timed: bool = True) -> None:
        """So much is done now. What tells nothing of the time of the rest is not ``timed``."""
        now = self._clock()
        if timed:
            self._timed_units += done - self._done
            self._timed_s += now - self._since
        self._done, self._since = done, now

    def left_s(self) -> float | None:
        """Seconds until all is done; None while nothing was timed."""
        if not self._timed_units:
            return None
        left, size = self._total - self._done, min(self._under_way, self._total - self._done)
        waited, mean = self._clock() - self._since, self._timed_s / self._timed_units
        if waited <= mean * size:
            return mean * left - waited
        slower = (self._timed_s + waited) / (self._timed_units + size)
        return slower * (left - size)


def follow(
    items: Iterable[Item],
    out: Console,
    *,
    total: int,
    label: Callable[[Item], str],
    done: int = 0,
    size: Callable[[Item], int] | None = None,
    place: Callable[[Item], int] | None = None,
    kept: Callable[[Item], bool] | None = None,
    note: Callable[[Item], str] | None = None,
    start: str = "",
    every_s: float = 0.0,
) -> Iterator[Item]:
    """Passes ``items`` on and shows, if ``out`` is a terminal, how far they are and how long the rest will take.

    Args:
        total: how much there is in all.
        label: what an item is, shown as it is passed on.
        done: how much was done before.
        size: how much an item is, done when the next one is asked for; 1 each by default.
        place: how much is done when an item comes, in place of ``size``; the first one's time, in which all is
            compiled, tells nothing of the others'.
        kept: whether an item is only read, as it was computed before: its time tells nothing of the others'.
        note: what else to say of an item.
        start: the label until the first item comes.
        every_s: seconds between two looks at an item, where ``label``, ``place`` or ``note`` take their time.
    """
    if not out.is_terminal:
        yield from items
        return
    pace = Pace(total, done)
    done_of_all = MofNCompleteColumn(table_column=Column(no_wrap=True))
    columns = (_text("description"), BarColumn(_BAR_WIDTH), done_of_all, _text("fields[note]"), _Times(pace))
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(start, total=total, completed=done, note="")
        looked: float | None = None
        for item in items:
            new = 1 if size is None else size(item)
            timed = kept is None or not kept(item)
            if looked is None or time.monotonic() - looked >= every_s:
                if place is not None:
                    now = place(item)
                    pace.begin(now - done)
                    pace.reach(now, timed=looked is not None)
                    done = now
                bar.update(task, completed=done, description=label(item), note=note(item) if note else "")
                looked = time.monotonic()
            if place is not None:
                yield item
                continue
            pace.begin(new)
            yield item
            done += new
            pace.reach(done, timed=timed)


@contextmanager
def busy(text: str, out: Console) -> Iterator[None]:
    """Shows, if ``out`` is a terminal, what is being done, and for how long already."""
    if not out.is_terminal:
        yield
        return
    with Progress(SpinnerColumn(), _text("description"), _Times(), console=out, transient=True) as bar:
        bar.add_task(text, total=None)
        yield


@contextmanager
def tell_late(text: str, out: Console) -> Iterator[None]:
    """A line, if ``out`` is a terminal, on what is done in the block, where that takes longer than two seconds."""
    if not out.is_terminal:
        yield
        return
    timer = threading.Timer(_LATE_S, lambda: out.print(text, highlight=False))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Times(ProgressColumn):
    """How long it has taken, and how long the rest will."""

    max_refresh = 0.5

    def __init__(self, pace: Pace | None = None) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._pace = pace

    def render(self, task: Task) -> Text:
        left = None if self._pace is None else self._pace.left_s()
        return Text(_clock_text(task.elapsed or 0.0) + ("" if left is None else f", {_clock_text(left)} left"))


def _text(field: str) -> TextColumn:
    return TextColumn(f"{{task.{field}}}", markup=False)


def _clock_text(seconds: float) -> str:
    """Hours, minutes and seconds, as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
