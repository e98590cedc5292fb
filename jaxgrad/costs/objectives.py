"""What a choice among schedules minimises: of all that a layer's gradients take, memories and update included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from jaxgrad.array.schedules import ARRAY_OBJECTIVES, PRICED
from jaxgrad.base.errors import InputError, either
from jaxgrad.costs import energy
from jaxgrad.costs.records import Counts, accesses, add, time_cycles
from jaxgrad.costs.transfers import dram_bytes
from jaxgrad.hardware import Machine


class Costed(Protocol):
    """What a layer takes, by phase."""

    @property
    def phases(self) -> Mapping[str, Counts]: ...


Option = TypeVar("Option", bound=Costed)


class Objective:
    """One of ``OBJECTIVES``, of layers on one machine.

    ``cycles`` are those at work and waiting, ``accesses`` the SRAM's, in words, ``energy`` what ``costs.energy`` makes
    of all counts; ``edp`` is energy times cycles, of the layer: the product of a whole step is no sum over its layers.

    Args:
        name: which.
        machine: what the layers run on.

    Raises:
        InputError: it needs prices, and the machine has none.
    """

    def __init__(self, name: str, machine: Machine) -> None:
        if name in PRICED and (machine.memory is None or not (machine.energies or machine.technology)):
            others = either(map(repr, ARRAY_OBJECTIVES))
            remedy = f"give a machine with a memory and an energy table or a technology, or choose {others}"
            raise InputError("objective", name, remedy)
        self._name, self._machine = name, machine
        self._prices = energy.table(machine) if name in PRICED else {}

    def best(self, options: Sequence[Option]) -> Option:
        """The one that is least, of equal ones the first."""
        return min(options, key=lambda option: self.of(option.phases))

    def of(self, phases: Mapping[str, Counts]) -> tuple[float, ...]:
        """What is least for the best schedule: the objective, then what breaks a tie."""
        total, machine = add(phases.values()), self._machine
        cycles, words = time_cycles(total), accesses(total)
        moved = dram_bytes(total, machine.precision) if machine.memory else words
        if self._name == "cycles":
            return cycles, moved
        if self._name == "accesses":
            return words, cycles, moved
        # Phase by phase only where MACs differ: equal schedules are to have equal sums, to the last bit.
        parts = phases if "forward" in self._prices["mac"] else {None: total}
        spent = sum(
            sum(energy.energy_pj(counts, self._prices, zero_gating=machine.zero_gating, phase=name).values())
            for name, counts in parts.items()
        )
        return (spent if self._name == "energy" else spent * cycles), cycles, words
