"""What ``jaxgrad run`` needs of an experiment, whatever its kind: points to compute, and a report of what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group

from jaxgrad.reports.style import FigureStyle
from jaxgrad.studies.store import Specified, Store


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

    def is_done(self, point: Specified, store: Store) -> bool:
        return store.has(self.kind, point.spec)
