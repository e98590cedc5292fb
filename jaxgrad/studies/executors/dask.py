"""Tasks done by the workers of a Dask cluster."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import jax
from distributed import Client, Future, KilledWorker, as_completed, get_worker

from jaxgrad.base.errors import InputError
from jaxgrad.studies.tasks import Follow, Task

_AT_ONCE = 1000
"""Tasks that the scheduler knows of at a time."""
_AGAIN_S = 1.0
"""At most, before what another client's workers are at is asked for again."""
_FULL = 0.6
"""Of a worker's memory: where Dask begins to write results to disk, of which there are none here."""


@dataclass(frozen=True)
class Dask:
    """The workers of a cluster.

    A worker puts its result into the store itself and says only that it has: a client that goes leaves nothing undone.
    Tasks have the names of their results, so that clients of one scheduler share them.

    Args:
        client: of the scheduler.
        name: of the cluster, as the user has given it.
        retries: how often a task that fails is tried again; the scheduler has its own count of workers that may die.
        prepare: what a worker does before a task.
        dashboard: its address, if there is one.
    """

    client: Client
    name: str
    retries: int
    prepare: Callable[[], None]
    dashboard: str | None

    def run(self, tasks: Sequence[Task], follow: Follow) -> Iterator[Task]:
        yield from follow(self._completed(tasks))

    def _completed(self, tasks: Sequence[Task]) -> Iterator[Task]:
        rest, under_way = iter(tasks), dict[str, tuple[Task, int]]()
        completed = as_completed(loop=self.client.loop, raise_errors=False)

        def submit(task: Task, attempt: int = 0) -> None:
            # What a name stands for stays for as long as some client wants it: another attempt has another name.
            key = f"{task.key}-{attempt}" if attempt else task.key
            under_way[key] = task, attempt
            completed.add(self.client.submit(_done, task, self.prepare, attempt, key=key, retries=self.retries))

        for task in islice(rest, _AT_ONCE):
            submit(task)
        for future in completed:
            task, attempt = under_way.pop(future.key)
            if not self._outcome(future, task):
                submit(task, attempt + 1)
                continue
            self._check_seen(task)
            for following in islice(rest, 1):
                submit(following)
            yield task

    def _outcome(self, future: Future, task: Task) -> bool:
        """Whether the task is done, or left to another client's worker that is at it."""
        try:
            outcome = future.result() if future.status == "finished" else None
            error = future.exception() if future.status == "error" else None
        except (CancelledError, OSError):
            outcome = error = None
        if outcome is None and error is None:
            problem = f"got {self.name!r}, whose scheduler has gone"
            remedy = "what is done is kept: start one, and type the same again"
            raise InputError("--cluster", self.name, remedy, problem=problem)
        if isinstance(error, KilledWorker):
            problem = f"got {self.name!r}, of which {error.allowed_failures + 1} workers were lost over one task"
            remedy = "what is done is kept: give its workers more memory, and type the same again"
            raise InputError("--cluster", self.name, remedy, problem=problem).within(task.label)
        for raised in (outcome, error):
            if isinstance(raised, BaseException):
                raise raised
        return bool(outcome)

    def _check_seen(self, task: Task) -> None:
        """Refuses a place that workers write to and this process does not see."""
        try:
            task.store.place.read(task.file)
        except OSError:
            place = task.store.place.at(task.file)
            problem = f"got a place that the cluster's workers do not share with this process: {place} is not there"
            remedy = "give a folder that all of them see, or a URL such as s3://bucket/folder"
            raise InputError("store", str(place), remedy, problem=problem) from None


def _done(task: Task, prepare: Callable[[], None], attempt: int) -> bool | InputError:
    """On a worker: does a task. Bad input comes back as a value: trying again would not help."""
    time.sleep(min(_AGAIN_S, attempt * _AGAIN_S / 5))
    prepare()
    try:
        return task.done()
    except InputError as error:
        return error
    finally:
        _make_room()


def _make_room() -> None:
    """On a worker: gives free memory back to the system and, where that is not enough, what was compiled too.

    There is no end of that otherwise: a program for each network, batch, precision and shape of a chunk.
    """
    worker = get_worker()
    limit = worker.memory_manager.memory_limit
    _trim()
    if limit and worker.monitor.get_process_memory() > _FULL * limit:
        jax.clear_caches()
        gc.collect()
        _trim()


def _trim() -> None:
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
