"""How far a command is: one bar for everything that takes a while, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")
_WORTH_TELLING_S = 30.0


def tell_pace(seconds: float) -> None:
    """Says on standard error what a run at register fidelity will take, where that is long."""
    from jaxgrad.array.pace import duration

    if seconds >= _WORTH_TELLING_S:
        print(
            f"note: register fidelity will take {duration(seconds)} on one core, besides compiling; tile and native "
            "count the same in less",
            file=sys.stderr,
            flush=True,
        )


def follow(
    items: Iterable[Item],
    out: Console,
    *,
    total: int,
    label: Callable[[Item], str],
    done: int = 0,
    size: Callable[[Item], int] | None = None,
    place: Callable[[Item], int] | None = None,
    note: Callable[[Item], str] | None = None,
    start: str = "",
    every_s: float = 0.0,
) -> Iterator[Item]:
    """Passes ``items`` on and shows, if ``out`` is a terminal, how far they are.

    Args:
        total: how much there is in all.
        label: what an item is, shown as it is passed on.
        done: how much was done before.
        size: how much an item is, done when the next one is asked for; 1 each by default.
        place: how much is done when an item comes, in place of ``size``.
        note: what else to say of an item.
        start: the label until the first item comes.
        every_s: seconds between two looks at an item, where ``label``, ``place`` or ``note`` take their time.
    """
    if not out.is_terminal:
        yield from items
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(start, total=total, completed=done, note="")
        looked = -every_s
        for item in items:
            if time.monotonic() - looked >= every_s:
                if place is not None:
                    done = place(item)
                bar.update(task, completed=done, description=label(item), note=note(item) if note else "")
                looked = time.monotonic()
            yield item
            if place is None:
                done += 1 if size is None else size(item)
