"""Whether a claim holds of what was measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jaxgrad.reports.numbers import fixed, scientific, significant
from jaxgrad.studies.dynamics.schema import BALANCED, FALLS, QUANTITIES, RISES, STATIONARY, ClaimSection
from jaxgrad.studies.dynamics.windows import Window

ByVariant = Mapping[str, Sequence[Window]]


class Finding(NamedTuple):
    """What a claim comes to.

    Args:
        holds: whether it does, in all its parts.
        figures: what was measured of it, in words.
    """

    holds: bool
    figures: str


def check(claim: ClaimSection, found: ByVariant) -> Finding:
    """A claim's figures, and whether it holds of them.

    Args:
        claim: one whose variants are among those found.
        found: each variant's windows, at least two.
    """
    return _CHECKS[claim.kind](claim, found)


def plateau(windows: Sequence[Window], quantity: str) -> float:
    """Mean of one of ``schema.QUANTITIES`` over all windows but the first, each as it is long."""
    lengths = [window.last - window.first for window in windows[1:]]
    values = [window.quantity(quantity) for window in windows[1:]]
    return sum(length * value for length, value in zip(lengths, values, strict=True)) / sum(lengths)


def _stationary(claim: ClaimSection, found: ByVariant) -> Finding:
    windows = found[claim.about[0]]
    first, last = abs(windows[0].slope), abs(windows[-1].slope)
    gradients = [window.gradient for window in windows]
    fall, varies = first / last if last else float("inf"), max(gradients) / min(gradients)
    figures = (
        f"slope {scientific(windows[0].slope, 1)} to {scientific(windows[-1].slope, 1)} a step, "
        f"{significant(fall, 3)}-fold; {QUANTITIES['gradient']} {_series(gradients)}, "
        f"greatest over least {fixed(varies, 2)}"
    )
    return Finding(fall >= (claim.slope_falls or 0) and varies <= (claim.gradient_varies or 0), figures)


def _balanced(claim: ClaimSection, found: ByVariant) -> Finding:
    balances = [window.balance for window in found[claim.about[0]][1:]]
    holds = all((claim.at_least or 0) <= balance <= (claim.at_most or 0) for balance in balances)
    return Finding(holds, " ".join(fixed(balance, 2) for balance in balances))


def _rises(claim: ClaimSection, found: ByVariant) -> Finding:
    values = [plateau(found[name], claim.quantity or "") for name in claim.about]
    figures = ", ".join(f"{name} {significant(value, 3)}" for name, value in zip(claim.about, values, strict=True))
    return Finding(all(low < high for low, high in itertools.pairwise(values)), figures)


def _falls(claim: ClaimSection, found: ByVariant) -> Finding:
    values = [window.quantity(claim.quantity or "") for window in found[claim.about[0]]]
    fall = values[0] / values[-1] if values[-1] else float("inf")
    return Finding(fall >= (claim.by or 0), f"{_series(values)}, {significant(fall, 3)}-fold")


def _series(values: Sequence[float]) -> str:
    return " ".join(significant(value, 3) for value in values)


_CHECKS: dict[str, Callable[[ClaimSection, ByVariant], Finding]] = {
    STATIONARY: _stationary,
    BALANCED: _balanced,
    RISES: _rises,
    FALLS: _falls,
}
