"""What a run's measurements say: where its loss stopped falling, and what the weights did from there on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxgrad.training.diagnostics import series

LEAST = 16
"""Measurements that a window has at least."""
_LEAST_EFFECTIVE = 8  # independent samples of a half, for a law to be told
_ERRORS = 2.0  # standard errors of what is told apart from 0
_SMALL_FALL = 0.01  # of all that the loss fell: a fall that counts for none
_VANISHED = 0.1  # of the gradient norm before
_SIGNIFICANCE = 0.05  # of all observables together
_LEAST_OBSERVABLES = 3

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Gradient:
    """The norm of the gradient, the root of its mean square.

    Args:
        before: until the loss stopped falling.
        after: in the later half of what followed.
        bounds: two standard errors to either side of ``after``; from 0 where it is not told apart from that.
    """

    before: float
    after: float
    bounds: tuple[float, float]

    @property
    def vanished(self) -> bool | None:
        """Whether it is below a tenth of what it was; None where the bounds hold both."""
        low, high = (bound >= _VANISHED * self.before for bound in self.bounds)
        return None if low != high else not low


@dataclass(frozen=True)
class Law:
    """Whether observables have one law in both halves of a window.

    Args:
        same: those that have.
        apart: those that have not, at 5 % for all of them together (Bonferroni).
        untold: those of which a half is worth fewer than eight independent samples.
    """

    same: tuple[str, ...]
    apart: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def stationary(self) -> bool | None:
        """Whether all that are told have; None where fewer than three are."""
        if self.apart:
            return False
        return True if len(self.same) >= _LEAST_OBSERVABLES else None


@dataclass(frozen=True)
class Balance:
    """Rise from curvature over descent, of the means over a window, with its standard error."""

    ratio: float
    error: float


@dataclass(frozen=True)
class Verdict:
    """On one run.

    Args:
        measurements: how many were finite.
        last_step: of them.
        stopped: the step at which the loss stopped falling; None where it did not, or too little is there to tell.
        fall: of the loss from ``stopped`` on, or over the later half of the run without.
        fall_error: of ``fall``.
        gradient, law, balance: from ``stopped`` on; None without.
    """

    measurements: int
    last_step: int
    stopped: int | None = None
    fall: float | None = None
    fall_error: float | None = None
    gradient: Gradient | None = None
    law: Law | None = None
    balance: Balance | None = None


def judge(records: Sequence[Record]) -> Verdict:
    """The verdict on a run's measurements, at equal distances.

    The loss has stopped falling at the first measurement from which neither a straight line through the rest, nor the
    mean of its last quarter below that of its first, falls by more than two standard errors, or than 1 % of all that
    the loss fell. The noise is that of the later half of the run.

    Args:
        records: lines of ``diagnostics.jsonl``.
    """
    records = [record for record in records if record["loss"] is not None and record["gradient_squared"] is not None]
    last_step = records[-1]["step"] if records else 0
    if len(records) < LEAST:
        return Verdict(len(records), last_step)
    loss = _column(records, "loss")
    noise = series.long_run_deviation(loss[len(loss) // 2 :])
    start = _stop(loss, noise)
    if start is None:
        later = loss[len(loss) // 2 :]
        return Verdict(len(records), last_step, None, series.fall(later), _line_error(len(later), noise))
    window = records[start:]
    return Verdict(
        len(records),
        last_step,
        records[start]["step"],
        series.fall(loss[start:]),
        _line_error(len(window), noise),
        _gradient(records, start),
        _law(window),
        _balance(window),
    )


def _stop(loss: Float[np.ndarray, " n"], noise: float) -> int | None:
    small = _SMALL_FALL * max(loss[0] - loss[-LEAST // 2 :].mean(), 0.0)
    for start in range(len(loss) - LEAST + 1):
        rest = loss[start:]
        quarter = len(rest) // 4
        line, step = series.fall(rest), rest[:quarter].mean() - rest[-quarter:].mean()
        allowed = _ERRORS * _line_error(len(rest), noise), _ERRORS * noise * np.sqrt(2 / quarter)
        if line <= max(small, allowed[0]) and step <= max(small, allowed[1]):
            return start
    return None


def _line_error(count: int, noise: float) -> float:
    """The standard error of a straight line's fall over so many measurements."""
    return noise * float(np.sqrt(12 * (count - 1) / (count * (count + 1))))


def _gradient(records: Sequence[Record], start: int) -> Gradient:
    squares = _column(records, "gradient_squared")
    before = squares[: max(start, LEAST // 4)].mean()
    value, error = series.mean(squares[start + (len(squares) - start) // 2 :])
    bounds = [float(np.sqrt(max(value + sign * _ERRORS * error, 0.0))) for sign in (-1, 1)]
    return Gradient(float(np.sqrt(max(before, 0.0))), float(np.sqrt(max(value, 0.0))), (bounds[0], bounds[1]))


def _law(window: Sequence[Record]) -> Law:
    observables = {"loss": _column(window, "loss"), "|weights|^2": _column(window, "weights_squared")}
    projections = np.array([record["projections"] for record in window], float)
    observables |= {f"projection {number + 1}": column for number, column in enumerate(projections.T)}
    compared = {name: series.halves(values) for name, values in observables.items()}
    told = {name: found for name, found in compared.items() if found.effective >= _LEAST_EFFECTIVE}
    apart = tuple(name for name, found in told.items() if found.p_value < _SIGNIFICANCE / len(told))
    same = tuple(name for name in told if name not in apart)
    return Law(same, apart, tuple(name for name in compared if name not in told))


def _balance(window: Sequence[Record]) -> Balance | None:
    steps = [record for record in window if record["descent"] is not None and record["rise"] is not None]
    if len(steps) < _LEAST_EFFECTIVE:
        return None
    descent, rise = _column(steps, "descent"), _column(steps, "rise")
    ratio = -rise.mean() / descent.mean()
    return Balance(float(ratio), series.mean(rise + ratio * descent).error / abs(float(descent.mean())))


def _column(records: Sequence[Record], name: str) -> Float[np.ndarray, " n"]:
    return np.array([record[name] for record in records], float)
