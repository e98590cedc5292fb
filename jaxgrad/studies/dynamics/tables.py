"""The results of an experiment on the dynamics of training as tables, on the screen and in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jaxgrad.reports.numbers import Written, exact, fixed, percent, scientific, short, significant
from jaxgrad.studies import frame
from jaxgrad.studies.dynamics import claims, windows
from jaxgrad.studies.dynamics.ensemble import Measured
from jaxgrad.studies.dynamics.schema import QUANTITIES, DynamicsExperiment
from jaxgrad.studies.dynamics.spending import Spending
from jaxgrad.studies.dynamics.windows import Window

CLAIMS, WINDOWS, SPENT = "Claims", "Means over windows", "What the array spends on a run"
_NAMES = ("claim", "here", "elsewhere", "variant")


@dataclass(frozen=True)
class Results:
    """All that came out.

    Args:
        experiment: what was asked.
        measured: by variant, in the order of the file.
        spending: likewise.
    """

    experiment: DynamicsExperiment
    measured: Mapping[str, Measured]
    spending: Mapping[str, Spending]

    @property
    def steps(self) -> list[int]:
        """Of the times of measurements."""
        section = self.experiment.dynamics
        return list(range(0, section.steps + 1, section.measure_every))

    @property
    def windows(self) -> dict[str, list[Window]]:
        """Each variant's means."""
        spans = self.experiment.dynamics.windows
        return {name: windows.over(measured, self.steps, spans) for name, measured in self.measured.items()}

    @property
    def findings(self) -> list[claims.Finding]:
        """What each claim of the file comes to."""
        found = self.windows
        return [claims.check(claim, found) for claim in self.experiment.claim]


def screen(results: Results) -> Group:
    """All tables."""
    parts: list[RenderableType] = []
    for title, (headers, rows) in all_tables(results).items():
        parts += [_drawn(title, headers, rows), ""]
    return frame.on_screen(results.experiment, [*parts, Text(meaning(results))])


def all_tables(results: Results) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Headers and rows of every table, by its title."""
    tables = {CLAIMS: _claims(results)} if results.experiment.claim else {}
    return {**tables, WINDOWS: _windows(results), SPENT: _spent(results)}


def meaning(results: Results) -> str:
    """What the numbers are."""
    seeds = len(results.experiment.seeds)
    return (
        f"Means over the measurements of a window and {seeds} seed{'s' * (seeds > 1)}, ± the seeds' standard "
        "deviation. Loss and its gradient are of all training examples; noise: mean squared distance of a batch's "
        "gradient from that one; balance: rise of the loss by curvature over its descent along the gradient, of the "
        "steps really taken, 1 where they cancel; moved: distance of the weights from one measurement to the next. The "
        f"loss counts as stopped from the first window on in which its slope is at most a {windows.STOPPED}th of the "
        "first window's."
    )


def _claims(results: Results) -> tuple[list[str], list[list[str]]]:
    rows = [
        [claim.name, finding.figures, claim.reference or "-", "yes" if finding.holds else "no"]
        for claim, finding in zip(results.experiment.claim, results.findings, strict=True)
    ]
    return ["claim", "here", "elsewhere", "holds"], rows


def _windows(results: Results) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, of_variant in results.windows.items():
        for window in of_variant:
            spread = "" if window.deviation is None else f" ±{significant(window.deviation, 2)}"
            rows.append(
                [
                    name,
                    f"{window.first:,}-{window.last:,}",
                    significant(window.loss, 4),
                    scientific(window.slope, 1),
                    Written(f"{significant(window.gradient, 3)}{spread}", window.gradient),
                    significant(window.noise, 3),
                    fixed(window.balance, 2),
                    significant(window.moved, 3),
                ]
            )
    headers = ["variant", "steps", "loss", "slope", QUANTITIES["gradient"], "noise", "balance", "moved"]
    return headers, rows


def _spent(results: Results) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, spent in results.spending.items():
        stopped = None if spent.after is None else spent.steps - spent.after
        rows.append(
            [
                name,
                exact(spent.cycles),
                short(spent.cycles * spent.steps),
                exact(stopped),
                "-" if spent.after is None else short(spent.cycles * spent.after),
                significant(None if spent.joules is None else spent.joules * spent.steps, 3),
                significant(None if spent.joules is None or spent.after is None else spent.joules * spent.after, 3),
                "-" if spent.after is None else percent(spent.after, spent.steps),
            ]
        )
    headers = ["variant", "cycles a step", "cycles", "loss stops at", "cycles after", "joules", "joules after", "share"]
    return headers, rows


def _drawn(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = frame.table(title, headers, _NAMES)
    for row in rows:
        table.add_row(*row)
    return table
