"""What ``jaxgrad run`` needs of an experiment, whatever its kind: points to compute, and a report of what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group

from jaxgrad.reports.style import FigureStyle
from jaxgrad.studies.store import Specified, Store, fingerprint, name
from jaxgrad.studies.tasks import Executor, Following, Task, in_order, untold


class Report(NamedTuple):
    """An experiment's results.

    Args:
        screen: for the terminal.
        write: writes all files into a folder, each whole or not at all, figures in a style; returns
            them, the page last.
    """

    screen: Group
    write: Callable[[Path, FigureStyle], list[Path]]


@dataclass(frozen=True)
class Study:
    """An experiment, read and checked.

    Args:
        title: its own.
        kind: of its results in the store.
        points: what is computed one by one.
        run: computes points, those in the store excepted, and gives each one's result in order.
        report: what came out, from all results.
    """

    title: str
    kind: str
    points: Sequence[Specified]
    run: Callable[[Sequence[Any], Store], Iterator[Any]]
    report: Callable[[Sequence[Any]], Report]

    def results(self, store: Store, executor: Executor, follow: Following = untold) -> Iterator[Any]:
        """Each point's result, in order, as it and those before it are done.

        Args:
            store: where results are kept.
            executor: who does what is not done yet.
            follow: tells how far it is, see ``tasks.in_order``.
        """
        tasks = [
            Task(
                store,
                name(self.kind, point.spec),
                point.label,
                partial(_computed, self.run, point, store),
                1,
                fingerprint(),
            )
            for point in self.points
        ]
        for point, _ in zip(self.points, in_order(tasks, executor, follow(tasks)), strict=True):
            yield _computed(self.run, point, store)

    def is_done(self, point: Specified, store: Store) -> bool:
        return store.has(self.kind, point.spec)


def _computed(run: Callable[[Sequence[Any], Store], Iterator[Any]], point: Any, store: Store) -> Any:
    """A point's result, from the store if it is there."""
    (result,) = run([point], store)
    return result
