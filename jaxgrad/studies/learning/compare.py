"""What an experiment that trains says: means and spreads over the seeds, and differences from the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import NamedTuple

from jaxgrad.studies.learning.configurations import Cell
from jaxgrad.studies.learning.outcomes import Outcome
from jaxgrad.studies.learning.points import Point
from jaxgrad.studies.learning.schema import LearningExperiment, PublishedSection, Quantity, Value


class Spread(NamedTuple):
    """A quantity over the seeds.

    Args:
        mean: of the runs that had not diverged; None where all had.
        deviation: their sample standard deviation; None for less than two.
        runs: how many they are.
        diverged: how many had diverged.
    """

    mean: float | None
    deviation: float | None
    runs: int
    diverged: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread:
        """Of one value a seed, None where it had diverged.

        >>> Spread.of([1.0, 3.0, None])
        Spread(mean=2.0, deviation=1.4142135623730951, runs=2, diverged=1)
        """
        numbers = [value for value in values if value is not None]
        deviation = stdev(numbers) if len(numbers) > 1 else None
        return cls(mean(numbers) if numbers else None, deviation, len(numbers), len(values) - len(numbers))


@dataclass(frozen=True)
class Row:
    """A variant in a setting, at the value of the tuned key that it takes.

    Args:
        cell: which.
        outcomes: by seed.
        at_edge: whether the value is the least or the greatest of its grid: a better one may lie outside.
    """

    cell: Cell
    outcomes: Mapping[int, Outcome]
    at_edge: bool = False

    def values(self, quantity: Quantity, step: int | None = None) -> list[float | None]:
        """A quantity after a step (None: the last one), a value a seed; accuracies in %, None where it had diverged."""
        return [value_of(outcome, quantity, step) for outcome in self.outcomes.values()]

    def spread(self, quantity: Quantity, step: int | None = None) -> Spread:
        """The same, over the seeds."""
        return Spread.of(self.values(quantity, step))

    def less(self, other: Row, step: int | None = None) -> Spread:
        """Test accuracy, in points, less another row's at the same seed."""
        pairs = zip(self.values("test_accuracy", step), other.values("test_accuracy", step), strict=True)
        return Spread.of([None if None in pair else pair[0] - pair[1] for pair in pairs])  # type: ignore[operator]

    @property
    def cycles(self) -> float | None:
        """Clock cycles of the array in a run, the mean over the seeds."""
        return Spread.of([outcome.counters.get("cycles") for outcome in self.outcomes.values()]).mean

    @property
    def weight_words(self) -> int | None:
        """Of the versions that a pipeline keeps."""
        return next(iter(self.outcomes.values())).weight_words


@dataclass(frozen=True)
class Results:
    """All that came out.

    Args:
        experiment: what was asked.
        outcomes: by cell and seed.
    """

    experiment: LearningExperiment
    outcomes: Mapping[Cell, Mapping[int, Outcome]]

    def rows(self, setting: str) -> list[Row]:
        """Every variant that is trained in a setting, in the order of the file."""
        variants = dict.fromkeys(cell.variant for cell in self.outcomes if cell.setting == setting)
        return [self.row(variant, setting) for variant in variants]

    def row(self, variant: str, setting: str) -> Row:
        """A variant in a setting, at the value that it takes."""
        losses = self.tuning(variant, setting)
        value = min(losses, key=lambda value: losses[value])  # of equal ones the first
        cell = Cell(variant, setting, value)
        return Row(cell, self.outcomes[cell], len(losses) > 1 and value in _edges(list(losses)))

    def tuning(self, variant: str, setting: str) -> dict[Value | None, float]:
        """By value of the tuned key, the mean training loss at the end; infinite where a run diverged."""
        losses = {}
        for cell, outcomes in self.outcomes.items():
            if (cell.variant, cell.setting) == (variant, setting):
                loss = Row(cell, outcomes).spread("train_loss")
                losses[cell.value] = math.inf if loss.diverged or loss.mean is None else loss.mean
        return losses

    def baseline(self, setting: str) -> Row:
        return self.row(self.experiment.baseline, setting)

    def ours(self, figure: PublishedSection) -> Spread:
        """What we have beside a published figure."""
        return self.row(figure.variant, self.experiment.setting_of(figure)).spread(figure.quantity, figure.step)


def results(experiment: LearningExperiment, computed: Sequence[tuple[Point, Outcome]]) -> Results:
    """The results of an experiment's points."""
    outcomes: dict[Cell, dict[int, Outcome]] = {}
    for point, outcome in computed:
        outcomes.setdefault(point.cell, {})[point.seed] = outcome
    return Results(experiment, outcomes)


def value_of(outcome: Outcome, quantity: Quantity, step: int | None) -> float | None:
    """A quantity after a step (None: the last one); an accuracy in %, None where the run had diverged."""
    measured = outcome.at(step)
    if measured is None:
        return None
    return measured.train_loss if quantity == "train_loss" else 100 * measured.test_accuracy


def _edges(grid: Sequence[Value | None]) -> tuple[Value | None, Value | None]:
    """The ends of a grid: of numbers the least and the greatest, of others the first and the last."""
    numbers = [value for value in grid if isinstance(value, int | float)]
    return (min(numbers), max(numbers)) if len(numbers) == len(grid) else (grid[0], grid[-1])
