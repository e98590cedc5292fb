"""The objectives by which designs are compared, each with the unit that it is written in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jaxgrad.reports.numbers import Unit, byte_unit, energy_unit, measured, time_unit


class Quantity(NamedTuple):
    """An objective to minimise.

    Args:
        name: of its axis, such as ``energy``.
        unit: that it is written in; its label leaves out a unit that the name already contains.
    """

    name: str
    unit: Unit

    @property
    def label(self) -> str:
        return self.name if self.unit.name in self.name else f"{self.name} [{self.unit.name}]"

    def written(self, value: float | None) -> str:
        """Three significant digits, without the unit; a dash for None."""
        return measured(None if value is None else value / self.unit.size)


_NAMES = {"cycles": "cycles", "dram_bytes": "DRAM traffic", "energy_pj": "energy", "area_um2": "area", "edp_js": "EDP"}
_NAMES |= {"stall_cycles": "stall cycles", "sram_accesses_words": "SRAM accesses"}
_UNITS = {
    "cycles": Unit("cycles", 1.0),
    "stall_cycles": Unit("cycles", 1.0),
    "sram_accesses_words": Unit("words", 1.0),
    "area_um2": Unit("mm2", 1e6),
}


def of_column(column: str, values: Iterable[float | None]) -> Quantity:
    """A column of a sweep's results, in the unit in which the largest of these values has few digits."""
    largest = max((value for value in values if value is not None), default=0.0)
    if column == "energy_pj":
        unit = energy_unit(largest)
    elif column == "edp_js":
        energy = energy_unit(largest * 1e12)
        unit = Unit(f"{energy.name} s", energy.size / 1e12)
    elif column == "dram_bytes":
        unit = byte_unit(largest)
    else:
        unit = _UNITS[column]
    return Quantity(_NAMES[column], unit)


def of_time(values_s: Iterable[float]) -> Quantity:
    """As ``of_column``, of times in seconds."""
    return Quantity("time", time_unit(max(values_s, default=0.0)))
