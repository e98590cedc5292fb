"""The logs by name, and training that they follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from jaxgrad.base.errors import one_of
from jaxgrad.training.logs.base import OPTION, Log, Record, needed
from jaxgrad.training.logs.events import PACKAGE as EVENTS_PACKAGE
from jaxgrad.training.logs.events import Events
from jaxgrad.training.logs.table import Table
from jaxgrad.training.logs.weights_and_biases import PACKAGE as WANDB_PACKAGE
from jaxgrad.training.logs.weights_and_biases import WeightsAndBiases

if TYPE_CHECKING:
    from jaxgrad.training.loop import Progress
    from jaxgrad.training.runs import Run

Settings = Mapping[str, Mapping[str, Any]]

_LOGS: Mapping[str, Callable[[Run, Settings], Log]] = {
    "csv": lambda run, settings: Table(run.folder),
    "tensorboard": lambda run, settings: Events(run.folder, settings),
    "wandb": WeightsAndBiases,
}
_PACKAGES = {"tensorboard": EVENTS_PACKAGE, "wandb": WANDB_PACKAGE}
NAMES: tuple[str, ...] = tuple(_LOGS)


def named(names: Iterable[str]) -> tuple[str, ...]:
    """The logs that are named, each once.

    >>> named(["csv,wandb", "csv"]), named([])
    (('csv', 'wandb'), ())

    Args:
        names: each may be several, with commas between.

    Raises:
        InputError: there is no such log.
    """
    return tuple(dict.fromkeys(one_of(OPTION, name.strip(), NAMES) for text in names for name in text.split(",")))


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """As ``named``, the packages that they need at hand.

    Raises:
        InputError: there is no such log, or a package is not installed.
    """
    logs = named(names)
    for log in logs:
        if log in _PACKAGES:
            needed(_PACKAGES[log], log)
    return logs


def follow(
    training: Iterable[Progress], names: Sequence[str], run: Run, settings: Settings, records: Sequence[Record]
) -> Iterator[Progress]:
    """Passes training on, and has some logs follow it.

    Args:
        training: by ``loop.fit``.
        names: of the logs, by ``chosen``.
        run: the run.
        settings: its configuration.
        records: of the epochs that are done.
    """
    with ExitStack() as opened:
        logs = [_LOGS[name](run, settings) for name in names]
        for log in logs:
            opened.callback(log.close)
            log.begin(records)
        for now in training:
            if now.record:
                for log in logs:
                    log.add(now.record)
            yield now
