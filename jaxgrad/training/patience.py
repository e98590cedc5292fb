"""Early stopping: when a run's tests have not got better for so many epochs, told from its log alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LOSS, ACCURACY = "loss", "accuracy"
MEASURES: tuple[str, ...] = (LOSS, ACCURACY)


@dataclass(frozen=True)
class Patience:
    """How many epochs without a better test training goes on for.

    Nothing but the log's records counts, so a run that was killed and goes on stops where it would have.

    >>> records = [{"test_loss": loss} for loss in (2.0, 1.5, 1.5, 1.6)]
    >>> Patience(2).is_over(records), Patience(2).is_over(records[:3]), Patience(2).best(records)
    (True, False, 2)

    Args:
        epochs: after the best one.
        measure: the test ``loss``, the lower the better, or ``accuracy``, the higher the better. Only what is strictly
            better counts, and a loss that is NaN or infinite is worse than any other.
    """

    epochs: int
    measure: str = LOSS

    def best(self, records: Sequence[Mapping[str, Any]]) -> int:
        """The first epoch with the best test, from 1.

        Args:
            records: of the log, from the first epoch on; at least one.
        """
        costs = [self._cost(record) for record in records]
        return 1 + costs.index(min(costs))

    def is_over(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether training stops after these epochs."""
        return bool(records) and len(records) - self.best(records) >= self.epochs

    def verdict(self, records: Sequence[Mapping[str, Any]], epochs: int) -> str:
        """A sentence on a run that has stopped early; empty where it has not.

        Args:
            records: of the log.
            epochs: that there were to be.
        """
        if len(records) >= epochs or not self.is_over(records):
            return ""
        best = self.best(records)
        value = records[best - 1][f"test_{self.measure}"]
        shown = "nan" if value is None else f"{value:.1%}" if self.measure == ACCURACY else f"{value:.3f}"
        since = "an epoch" if self.epochs == 1 else f"{self.epochs:,} epochs"
        return (
            f"Stopped early, of {epochs:,} epochs: no better test {self.measure} for {since}; the best, {shown}, was "
            f"in epoch {best:,}."
        )

    def _cost(self, record: Mapping[str, Any]) -> float:
        value = record[f"test_{self.measure}"]
        if value is None:
            return math.inf
        return -value if self.measure == ACCURACY else value
