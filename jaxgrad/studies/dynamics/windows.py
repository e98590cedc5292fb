"""Means over the windows of a run, and where its loss stopped falling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgrad.studies.dynamics.ensemble import Measured

STOPPED = 100
"""By what factor the loss's slope has fallen where the loss counts as one that stopped falling."""


class Window(NamedTuple):
    """Means over a window and over the seeds.

    Args:
        first, last: its steps.
        loss: over all training examples.
        slope: of the loss, a step: of the line of least squares through the seeds' mean.
        gradient: norm of the loss's gradient.
        noise: mean squared distance of a batch's gradient from it.
        balance: ``-rise / descent``: 1 where the mean change of the loss is 0; of sums over times and seeds.
        moved: distance of the weights from one measurement to the next.
        deviation: standard deviation of ``gradient`` over the seeds; None for one.
    """

    first: int
    last: int
    loss: float
    slope: float
    gradient: float
    noise: float
    balance: float
    moved: float
    deviation: float | None

    def quantity(self, name: str) -> float:
        """One of ``schema.QUANTITIES``."""
        return {"loss": self.loss, "gradient": self.gradient, "noise": self.noise}[name]


def over(measured: Measured, steps: Sequence[int], windows: Sequence[Sequence[int]]) -> list[Window]:
    """The means over each window: from after its first step to its last; the slope's line begins at its first.

    Args:
        measured: each [seeds, times].
        steps: of the times.
        windows: (first, last).
    """
    times = np.asarray(steps)
    found = []
    for first, last in windows:
        within, line = (times > first) & (times <= last), (times >= first) & (times <= last)
        gradients = measured.gradient[:, within].mean(axis=1)
        found.append(
            Window(
                first=first,
                last=last,
                loss=float(measured.loss[:, within].mean()),
                slope=float(np.polyfit(times[line], measured.loss[:, line].mean(axis=0), 1)[0]),
                gradient=float(gradients.mean()),
                noise=float(measured.noise[:, within].mean()),
                balance=float(-measured.rise[:, within].sum() / measured.descent[:, within].sum()),
                moved=float(measured.moved[:, within].mean()),
                deviation=float(gradients.std(ddof=1)) if len(gradients) > 1 else None,
            )
        )
    return found


def stopped(windows: Sequence[Window]) -> int | None:
    """The first step of the first window in which the loss falls at least ``STOPPED`` times slower than in the first
    one, and in none after it faster; None where it falls on."""
    limit = abs(windows[0].slope) / STOPPED
    slow = [abs(window.slope) <= limit for window in windows]
    return next((window.first for place, window in enumerate(windows) if all(slow[place:])), None)
