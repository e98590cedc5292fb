"""How training goes: a progress bar on a terminal, and a line an epoch everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxgrad.reports.numbers import short
from jaxgrad.training.loop import Progress as Trained

_REFRESH_S = 0.2  # reading the state waits for the device, so not after every step


def follow(training: Iterable[Trained], out: Console, *, done: int, steps: int, epochs: int) -> Iterator[Trained]:
    """Passes ``training`` on and shows how it goes: a bar if ``out`` is a terminal, and a line an epoch.

    Args:
        done: steps done before.
        steps: steps there will be in all.
        epochs: epochs there will be in all.
    """
    lines = _lines(training, out, epochs)
    return _bar(lines, out, done=done, steps=steps, epochs=epochs) if out.is_terminal else lines


def _lines(training: Iterable[Trained], out: Console, epochs: int) -> Iterator[Trained]:
    for now in training:
        if now.record:
            out.print(_line(now.record, epochs), soft_wrap=True)
        yield now


def _bar(training: Iterable[Trained], out: Console, *, done: int, steps: int, epochs: int) -> Iterator[Trained]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("compiling", total=steps, completed=done, numbers="")
        shown = 0.0
        for now in training:
            if time.monotonic() - shown > _REFRESH_S:
                epoch = min(epochs, 1 + now.step * epochs // steps)
                bar.update(task, completed=now.step, description=f"epoch {epoch}/{epochs}", numbers=_numbers(now))
                shown = time.monotonic()
            yield now


def _numbers(now: Trained) -> str:
    if now.record:  # the sums of its epoch are gone
        loss, accuracy = now.record["train_loss"], now.record["train_accuracy"]
    else:
        loss, accuracy = now.state.sums.means()
    return f"loss {_loss(loss)}  accuracy {accuracy:.1%}  {short(now.state.cycles())} cycles"


def _loss(value: float | None) -> str:
    return "nan" if value is None else f"{value:.3f}"


def _line(record: dict[str, Any], epochs: int) -> str:
    return (
        f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}  loss {_loss(record['train_loss']):>6}  accuracy "
        f"{record['train_accuracy']:6.1%}  test: {_loss(record['test_loss']):>6} {record['test_accuracy']:6.1%}  "
        f"{short(record['cycles'])} cycles"
    )
