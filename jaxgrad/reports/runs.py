"""Runs as a table, a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from jaxgrad.reports.numbers import Written, percent, short
from jaxgrad.reports.screen import PlainTable

if TYPE_CHECKING:
    from jaxgrad.training.run_folders import RunFolder

_ASKED = ("model", "data", "schedule", "fidelity")
_AGES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def runs_table(runs: Sequence[RunFolder], title: str, *, now: float, whole: bool = False) -> Group:
    """A line a run, in the order they are given; what several have in common is said once, below.

    Args:
        runs: at least one, unless ``whole``.
        title: of the table.
        now: seconds since 1970, for their ages.
        whole: show what they have in common in each line too.
    """
    values = {name: [str(getattr(run, name)) for run in runs] for name in _ASKED}
    common = {name: cells[0] for name, cells in values.items() if not whole and len(runs) > 1 and len(set(cells)) == 1}
    shown = [name for name in _ASKED if name not in common]
    table = PlainTable(title, gap=2 if len(shown) <= 2 else 1)
    table.add_column("run", names=True)
    for name in shown:
        table.add_column(name, no_wrap=True)
    table.add_column("epochs", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for header, full in (("test\nacc.", None), ("cycles", None), ("age", "age [s]")):
        table.add_column(header, justify="right", no_wrap=True, full=full)
    for index, run in enumerate(runs):
        table.add_row(
            run.folder.absolute().name,
            *(values[name][index] for name in shown),
            f"{run.done}/{run.epochs}",
            run.state,
            "-" if run.test_accuracy is None else percent(run.test_accuracy, 1, 1),
            "-" if run.cycles is None else short(run.cycles),
            Written(age(now - run.changed), now - run.changed),
        )
    note = "all: " + ", ".join(f"{name} {value}" for name, value in common.items())
    return Group(table, *([Text(note)] if common else []))


def age(seconds: float) -> str:
    """In the largest unit of which there is one.

    >>> age(59), age(3599), age(86400 * 3.5)
    ('59 s', '59 min', '3 d')
    """
    size, unit = next((pair for pair in _AGES if seconds >= pair[0]), _AGES[-1])
    return f"{max(0, int(seconds // size))} {unit}"


def as_dict(run: RunFolder) -> Mapping[str, Any]:
    """A run as plain data, for JSON."""
    return {
        "name": run.folder.absolute().name,
        "folder": str(run.folder),
        **{name: getattr(run, name) for name in _ASKED},
        "epochs": run.epochs,
        "epochs_done": run.done,
        "state": run.state,
        "test_accuracy": run.test_accuracy,
        "cycles": run.cycles,
        "changed_unix_s": run.changed,
    }
