"""Number formats and units of all reports. What is written remembers its number, for tables that programs read."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.ticker import EngFormatter

# In ASCII. Those of matplotlib's EngFormatter, which ``tick`` uses and which tables on a terminal do not wait for.
_PREFIXES = dict(zip(range(-12, 19, 3), ("p", "n", "u", "m", "", "k", "M", "G", "T", "P", "E"), strict=True))
_LARGEST = 999.5e18  # from here on a power of ten says more than a prefix
_NONE = "-"
_MOST_DIGITS = 17  # that tell any two floats apart


class Written(str):
    """A text, and what it stands for.

    Args:
        text: as tables show it.
        value: the number, or whatever else the text is short for; None where there is none.
        unit: that ends the text, in which the value is given: ``%``.
    """

    value: Any
    unit: str

    def __new__(cls, text: str, value: Any = None, unit: str = "") -> Written:
        written = super().__new__(cls, text)
        written.value, written.unit = value, unit
        return written

    def unsaid(self) -> Written:
        """The same where a table leaves it out, because the row above has it."""
        return Written("", self.value, self.unit)


class Unit(NamedTuple):
    """A unit to write quantities in.

    Args:
        name: such as ``mJ``.
        size: how many of the unit that the quantities are given in make one of it.
    """

    name: str
    size: float

    def written(self, value: float) -> Written:
        """Three significant digits, without the unit, which a header or an axis says."""
        return measured(value / self.size)

    def quantity(self, value: float) -> str:
        """Three significant digits and the unit: 207 mJ."""
        return f"{self.written(value)} {self.name}"


def _units(name: str, given: int, powers: Sequence[int]) -> tuple[Unit, ...]:
    """A unit with prefixes, of quantities that are given in ten to a power of it."""
    return tuple(Unit(f"{_PREFIXES[power]}{name}", float(f"1e{power - given}")) for power in powers)


_ENERGIES = _units("J", -12, range(12, -13, -3))
_BYTES = _units("B", 0, range(18, -1, -3))
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


def short(value: int) -> Written:
    """Three significant digits and an SI prefix: 1234567 as 1.23M; below 1000 exact, and a power from 10^21 on."""
    return Written(str(value) if abs(value) < 1000 else _engineering(value), value)


def _engineering(value: float) -> str:
    if abs(value) >= _LARGEST:
        return f"{value:.3g}"
    digits, _, power = f"{value:.2e}".partition("e")
    before = int(power) % 3
    return f"{float(digits) * 10**before:.{2 - before}f}{_PREFIXES[int(power) - before]}"


def measured(value: float | None) -> Written:
    """Three significant digits, from 1000 on with an SI prefix; a dash for None."""
    if value is None:
        return Written(_NONE)
    return Written(_engineering(round(value)) if 999.5 <= abs(value) < _LARGEST else f"{value:.3g}", value)


def fixed(value: float | None, digits: int, unit: str = "") -> Written:
    """So many digits after the point; a dash for None."""
    return Written(_NONE) if value is None else Written(f"{value:.{digits}f}{unit}", value, unit)


def signed(value: float | None, digits: int, unit: str = "") -> Written:
    """As ``fixed``, with a plus too: a difference."""
    return Written(_NONE) if value is None else Written(f"{value:+.{digits}f}{unit}", value, unit)


def significant(value: float | None, digits: int) -> Written:
    """So many significant digits, without a prefix: a loss, a norm; a dash for None."""
    return Written(_NONE) if value is None else Written(f"{value:.{digits}g}", value)


def scientific(value: float, digits: int) -> Written:
    """So many digits after the point, and a power of ten."""
    return Written(f"{value:.{digits}e}", value)


def exact(value: float | None) -> Written:
    """All digits, thousands apart; a dash for None."""
    return Written(_NONE) if value is None else Written(f"{value:,}", value)


def given(value: float) -> Written:
    """A number that someone chose, as one would write it: 0.5, 8."""
    return Written(f"{value:g}", value)


def ratio(value: float, reference: float) -> Written:
    """``value / reference`` with two decimals; a dash where there is nothing to divide by."""
    return fixed(value / reference if reference else None, 2)


def percent(part: float, whole: float, digits: int = 0) -> Written:
    """``part`` of ``whole``; a dash where there is no whole."""
    return fixed(100 * part / whole if whole else None, digits, "%")


def saving(value: int, reference: int) -> str:
    """``value`` against ``reference`` in words: 3.1% fewer, 2.0% more."""
    change = 100 * (value - reference) / reference if reference else 0.0
    if f"{abs(change):.1f}" == "0.0":
        return "no fewer"
    return f"{abs(change):.1f}% {'more' if change > 0 else 'fewer'}"


def tick(value: float, _: int = 0) -> str:
    """A number at an axis's tick: from 1000 on with an SI prefix, unless that takes more digits than the number."""
    exactly = f"{value:g}"
    return exactly if abs(value) < 1000 else min(_engineer().format_data(value), exactly, key=len)


@functools.cache
def _engineer() -> EngFormatter:
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep="")


def apart(one: float | None, other: float | None) -> tuple[Written, Written]:
    """Two numbers side by side, as cells: where they differ, with as many digits as show that.

    >>> apart(1234567, 1234568), apart(0.12345, 0.12349), apart(0.5, 2)
    (('1,234,567', '1,234,568'), ('0.12345', '0.12349'), ('0.5', '2'))
    """
    texts, digits = (cell(one), cell(other)), 4
    while texts[0] == texts[1] and one != other and digits < _MOST_DIGITS:
        digits += 1
        texts = f"{one:,.{digits}g}", f"{other:,.{digits}g}"
    return Written(texts[0], one), Written(texts[1], other)


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
