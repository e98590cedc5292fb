"""Options of the commands whose work other processes may do, and who does it then."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgrad.base.errors import InputError
from jaxgrad.cli.options import NATURAL, PLACE, option

if TYPE_CHECKING:
    from jaxgrad.studies.tasks import Executor, Follow, Task

REMEDY = "give local:N, the address of a Dask scheduler such as tcp://host:8786, or a TOML file such as slurm.toml"


def where(name: str, value: str) -> str:
    """A rule: ``local:8``, ``tcp://host:8786`` or ``slurm.toml``."""
    if re.fullmatch(r"local(:[1-9]\d*)?|[a-z]+://.+", value):
        return value
    if not value.endswith(".toml"):
        raise InputError(name, value, REMEDY)
    if not Path(value).is_file():
        raise InputError(name, value, "there is no such file")
    return value


CLUSTER = option(
    "--cluster",
    "WHERE",
    "Have Dask workers do it: local:8 here, tcp://host:8786, or slurm.toml.",
    PLACE,
    rule=where,
    default="this process",
)
RETRIES = option("--retries", "N", "How often to try again what fails on a cluster.", PLACE, rule=NATURAL)
TRIES_AGAIN = 3


@contextmanager
def executor(place: str | None, retries: int) -> Iterator[Executor]:
    """Who does the work: this process, or workers, there for as long as the block runs.

    Raises:
        InputError: they can't be had.
    """
    if place is None:
        from jaxgrad.studies.executors.here import Here

        yield Here()
        return
    from jaxgrad.cli import cache
    from jaxgrad.studies.executors import clusters

    with clusters.connected(place, retries, cache.turn_on) as dask:
        if dask.dashboard:
            print(f"note: the cluster's dashboard is at {dask.dashboard}", file=sys.stderr, flush=True)
        yield dask


def typed(place: str | None, retries: int) -> dict[str, Any]:
    """The options as the user would type them; without those that have their defaults."""
    return {"cluster": place, "retries": None if retries == TRIES_AGAIN else retries}


def following(tasks: Sequence[Task]) -> Callable[[int], Follow]:
    """What tells on a terminal how far tasks are, from the size of those done before."""
    from jaxgrad.cli import progress, screen

    def follow(done: int) -> Follow:
        def passed_on(some: Iterable[Task]) -> Iterable[Task]:
            total = sum(task.size for task in tasks)
            return progress.follow(some, screen.console(), total=total, label=_label, done=done, size=_size)

        return passed_on

    return follow


def _label(task: Task) -> str:
    return task.label


def _size(task: Task) -> int:
    return task.size
