"""Number formats and units of all reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_PREFIXES = ((10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_NONE = "-"


class Unit(NamedTuple):
    """A unit to write quantities in.

    Args:
        name: such as ``mJ``.
        size: how many of the unit that the quantities are given in make one of it.
    """

    name: str
    size: float

    def written(self, value: float) -> str:
        """Three significant digits, without the unit, which a header or an axis says."""
        return measured(value / self.size)

    def quantity(self, value: float) -> str:
        """Three significant digits and the unit: 207 mJ."""
        return f"{self.written(value)} {self.name}"


_ENERGIES = (
    *(Unit("TJ", 1e24), Unit("GJ", 1e21), Unit("MJ", 1e18), Unit("kJ", 1e15), Unit("J", 1e12)),
    *(Unit("mJ", 1e9), Unit("uJ", 1e6), Unit("nJ", 1e3), Unit("pJ", 1.0)),
)
_BYTES = (*(Unit(f"{prefix}B", float(size)) for size, prefix in _PREFIXES), Unit("B", 1.0))
_TIMES = (
    *(Unit("hours", 3600.0), Unit("minutes", 60.0), Unit("s", 1.0)),
    *(Unit("ms", 1e-3), Unit("us", 1e-6), Unit("ns", 1e-9)),
)


def energy_unit(largest_pj: float) -> Unit:
    """The unit in which the largest of some energies, in pJ, has one to three digits before the point."""
    return _suiting(largest_pj, _ENERGIES)


def byte_unit(largest: float) -> Unit:
    """As ``energy_unit``, of bytes."""
    return _suiting(largest, _BYTES)


def time_unit(largest_s: float) -> Unit:
    """As ``energy_unit``, of seconds: from a minute on minutes, then hours."""
    return _suiting(largest_s, _TIMES)


def _suiting(largest: float, units: Sequence[Unit]) -> Unit:
    """The first unit in which the value, rounded to three digits, is 1 or more; else the last, the smallest."""
    return next((unit for unit in units if float(f"{largest / unit.size:.3g}") >= 1), units[-1])


def short(value: int) -> str:
    """Three significant digits and an SI prefix: 1234567 as 1.23M; below 1000 exact, and a power from 10^21 on."""
    if value >= 999.5e18:
        return f"{value:.3g}"
    for size, prefix in _PREFIXES:
        if round(value * 1000 / size) >= 1000:  # so that 999,999 is 1.00M, not 1000k
            scaled = value / size
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{digits}f}{prefix}"
    return str(value)


def measured(value: float | None) -> str:
    """Three significant digits, from 1000 on with an SI prefix; a dash for None."""
    if value is None:
        return _NONE
    if 999.5 <= abs(value) < 999.5e18:
        return short(round(value)) if value > 0 else f"-{short(round(-value))}"
    return f"{value:.3g}"


def fixed(value: float | None, digits: int) -> str:
    """So many digits after the point; a dash for None."""
    return _NONE if value is None else f"{value:.{digits}f}"


def ratio(value: float, reference: float) -> str:
    """``value / reference`` with two decimals; a dash where there is nothing to divide by."""
    return fixed(value / reference if reference else None, 2)


def percent(part: float, whole: float, digits: int = 0) -> str:
    """``part`` of ``whole``; a dash where there is no whole."""
    return f"{100 * part / whole:.{digits}f}%" if whole else _NONE


def saving(value: int, reference: int) -> str:
    """``value`` against ``reference`` in words: 3.1% fewer, 2.0% more."""
    change = 100 * (value - reference) / reference if reference else 0.0
    if f"{abs(change):.1f}" == "0.0":
        return "no fewer"
    return f"{abs(change):.1f}% {'more' if change > 0 else 'fewer'}"


def tick(value: float, _: int = 0) -> str:
    """A number at an axis's tick: from 1000 on with an SI prefix, unless that takes more digits than the number."""
    exact = f"{value:g}"
    if abs(value) < 1000:
        return exact
    for size, prefix in _PREFIXES:
        text = f"{value / size:g}"
        if abs(float(text)) >= 1:
            return text + prefix if len(text + prefix) <= len(exact) else exact
    return exact


def cell(value: str | int | float | None) -> str:
    """A cell of a wide table: texts as they are, integers exact, other numbers to four digits at least.

    Those from 10^15 on have a power of ten.
    """
    if value is None:
        return _NONE
    if isinstance(value, str | bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
