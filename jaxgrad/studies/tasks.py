"""What work is made of: results that are wanted in a store, each with a way to come by it, for any process to do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from jaxgrad.base.errors import InputError
from jaxgrad.studies.store import Store, fingerprint


@dataclass(frozen=True)
class Task:
    """A result that is wanted. Where it can be pickled, so can this.

    Args:
        store: where the result is to be.
        file: its name there, which is a hash of all that decides it.
        label: what it is called while it is computed.
        keep: computes it and puts it into the store, unless it is there and whole.
        size: of the work, against others of its kind.
        code: the hash of the code that ``file`` was named by.
    """

    store: Store
    file: str
    label: str
    keep: Callable[[], object]
    size: int
    code: str

    @property
    def key(self) -> str:
        """Its name among the tasks of all stores: that of its kind, and a hash."""
        place = hashlib.sha256(f"{self.store.place.address}/{self.file}".encode()).hexdigest()[:32]
        return f"{_folder(self)}-{place}"

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Whether nobody else is at it; nobody else will be, for as long as the block runs."""
        with self.store.place.claim(self.file) as is_mine:
            yield is_mine

    def done(self) -> bool:
        """Does it, unless somebody else is at it: whether it is done.

        Raises:
            InputError: it can't be done, or this process has other code than the one that wants it.
        """
        if fingerprint() != self.code:
            problem = "got a worker with another version of jaxgrad, or of what it stands on, than this machine has"
            raise InputError("--cluster", None, "give all of them the same", problem=problem)
        with self.claimed() as is_mine:
            if is_mine:
                self.keep()
            return is_mine


Follow = Callable[[Iterable[Task]], Iterable[Task]]
"""Passes tasks on and tells how far they are, as ``cli.progress.follow`` does."""

Following = Callable[[Sequence[Task]], Callable[[int], Follow]]
"""From all tasks and the size of those that were done before to what tells of the rest."""


def untold(tasks: Sequence[Task]) -> Callable[[int], Follow]:
    """Tells nothing."""
    return lambda done: iter


class Executor(Protocol):
    """Who does tasks: this process, or those of a cluster. What runs tasks elsewhere (Ray, say) is one such class."""

    def run(self, tasks: Sequence[Task], follow: Follow) -> Iterator[Task]:
        """Has each task done, and passes it on once its result is in the store, in any order.

        Tasks go through ``follow``: each as this process begins it, or as it has been done elsewhere. Some may be at
        the same tasks at the same time, in one store: what another one claims is waited for.

        Raises:
            InputError: a task can't be done.
        """
        ...


def in_order(tasks: Sequence[Task], executor: Executor, follow: Callable[[int], Follow]) -> Iterator[Task]:
    """Has all tasks done that are not yet, and passes each on, in its place, once its result is in the store.

    Args:
        tasks: some may want the same.
        executor: who does them.
        follow: from the size of what was done before to what tells of the rest.
    """
    there = {file for folder in {_folder(task) for task in tasks} for file in tasks[0].store.place.names(folder)}
    left = {task.file: task for task in tasks if task.file not in there}
    done_before = sum(task.size for task in tasks) - sum(task.size for task in left.values())
    waiting = iter(tasks)
    task = next(waiting, None)
    for done in executor.run(list(left.values()), follow(done_before)):
        del left[done.file]
        while task is not None and task.file not in left:
            yield task
            task = next(waiting, None)
    while task is not None:
        yield task
        task = next(waiting, None)


def _folder(task: Task) -> str:
    return task.file.partition("/")[0]
