"""How training goes, as the one bar and a line an epoch show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console

from jaxgrad.cli import progress
from jaxgrad.reports.numbers import fixed, percent, short
from jaxgrad.training.loop import Progress

_REFRESH_S = 0.2  # reading the state waits for the device, so not after every step


def follow(training: Iterable[Progress], out: Console, *, done: int, steps: int, epochs: int) -> Iterator[Progress]:
    """Passes ``training`` on and shows how it goes: a bar if ``out`` is a terminal, and a line an epoch.

    Args:
        done: steps done before.
        steps: steps there will be in all.
        epochs: epochs there will be in all.
    """
    return progress.follow(
        _lines(training, out, epochs),
        out,
        total=steps,
        done=done,
        start="compiling",
        label=lambda now: f"epoch {min(epochs, 1 + now.step * epochs // steps)}/{epochs}",
        place=lambda now: now.step,
        note=_numbers,
        every_s=_REFRESH_S,
    )


def delays(pipeline: Mapping[str, Any]) -> str:
    """A line of how late the gradients are under a pipeline.

    Args:
        pipeline: its record, from ``Job.pipeline``.
    """
    by_delay: dict[int, list[str]] = {}
    for layer, delay in pipeline["delays"].items():
        by_delay.setdefault(delay, []).append(layer)
    late = ", ".join(
        f"{delay} ({layers[0]}{f' to {layers[-1]}' if len(layers) > 1 else ''})" for delay, layers in by_delay.items()
    )
    return (
        f"Pipeline {pipeline['name']} on {pipeline['processors']:,} arrays, {pipeline['weights']}: weights are {late} "
        f"updates old; {pipeline['weight_words']:,} words of them kept"
    )


def _lines(training: Iterable[Progress], out: Console, epochs: int) -> Iterator[Progress]:
    for now in training:
        if now.record:
            out.print(_line(now.record, epochs), soft_wrap=True)
        yield now


def _numbers(now: Progress) -> str:
    if now.record:  # the sums of its epoch are gone
        loss, accuracy = now.record["train_loss"], now.record["train_accuracy"]
    else:
        loss, accuracy = now.state.sums.means()
    return f"loss {_loss(loss)}  acc. {percent(accuracy, 1, 1)}  {short(now.state.cycles())} cycles"


def _loss(value: float | None) -> str:
    return "nan" if value is None else fixed(value, 3)


def _line(record: dict[str, Any], epochs: int) -> str:
    epoch = f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}"
    losses = {part: f"{_loss(record[f'{part}_loss']):>6}" for part in ("train", "test")}
    shares = {part: f"{percent(record[f'{part}_accuracy'], 1, 1):>6}" for part in ("train", "test")}
    return (
        f"{epoch}  loss {losses['train']}  accuracy {shares['train']}  test: {losses['test']} {shares['test']}  "
        f"{short(record['cycles'])} cycles"
    )
