"""How far ours are from what was measured: each error, and what is said of all of a quantity."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from jaxgrad.studies.measurements.sections import MeasuredSection
from jaxgrad.studies.measurements.units import UNITS


@dataclass(frozen=True)
class Agreement:
    """A measured value and ours.

    >>> section = MeasuredSection(value=2.0, unit="ms", std=0.1, source="a paper")
    >>> found = Agreement(section, ours=2.1e-3, network="lenet", variant="WS", phase="step")
    >>> f"{found.error:+.3f} ms, {found.percent:+.1f} %", found.is_within
    ('+0.100 ms, +5.0 %', True)

    Args:
        measured: the value.
        ours: in our unit of the quantity (``units.Unit``).
        network, variant, phase: what both are of.
    """

    measured: MeasuredSection
    ours: float
    network: str
    variant: str
    phase: str

    @property
    def written(self) -> float:
        """Ours, in the unit of the measured value."""
        return self.ours / UNITS[self.measured.unit].size

    @property
    def error(self) -> float:
        """Ours less the measured value, in its unit."""
        return self.written - self.measured.mean

    @property
    def percent(self) -> float:
        """The error over the measured value."""
        return 100 * self.error / self.measured.mean

    @property
    def ratio(self) -> float:
        """Ours over the measured value."""
        return self.written / self.measured.mean

    @property
    def is_within(self) -> bool | None:
        """Whether ours is within the error bar; None where there is none."""
        return None if self.measured.bar is None else abs(self.error) <= self.measured.bar


class Overall(NamedTuple):
    """Some agreements together.

    Args:
        points: how many.
        mape: mean of the errors without their signs, in %.
        ratio: geometric mean of ours over measured.
        worst: the error farthest from 0, in %.
        within, bars: how many are within their error bars, and how many have one.
    """

    points: int
    mape: float
    ratio: float
    worst: float
    within: int
    bars: int


def overall(agreements: Iterable[Agreement]) -> Overall:
    """What is said of them together; at least one."""
    some = list(agreements)
    within = [agreement.is_within for agreement in some if agreement.is_within is not None]
    return Overall(
        len(some),
        statistics.fmean(abs(agreement.percent) for agreement in some),
        math.exp(statistics.fmean(math.log(agreement.ratio) for agreement in some)),
        max((agreement.percent for agreement in some), key=abs),
        sum(within),
        len(within),
    )


def by_quantity(agreements: Iterable[Agreement]) -> dict[str, list[Agreement]]:
    """Grouped, in the order in which quantities are met."""
    groups: dict[str, list[Agreement]] = {}
    for agreement in agreements:
        groups.setdefault(agreement.measured.quantity, []).append(agreement)
    return groups
