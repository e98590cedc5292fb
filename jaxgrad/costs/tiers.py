"""The memories around the scratchpad, in the numbers that costs are made of."""

from __future__ import annotations

from typing import NamedTuple

from jaxgrad.array.counts import DRAM, STALLS, Key, stalls_of
from jaxgrad.base.arithmetic import Integer, ceil_div
from jaxgrad.costs.nests import Nest, Sizes
from jaxgrad.hardware import Memory
from jaxgrad.hardware.level import KEPT


class Tier(NamedTuple):
    """A level, or DRAM: what one core has of it.

    Args:
        name: see ``Key.level``.
        keeps: the tensors that it keeps; DRAM all.
        usable_bytes: what one set of blocks may take; of DRAM none is needed.
        cycles, of_bytes: it moves ``of_bytes`` bytes in ``cycles`` clock cycles.
        double_buffered: whether its own filling overlaps with what goes on inside it.
        width_bytes: of an access; 0 where it moves words.
    """

    name: str
    keeps: frozenset[str]
    usable_bytes: int
    cycles: int
    of_bytes: int
    double_buffered: bool = True
    width_bytes: int = 0

    def transfer_cycles(self, size_bytes: Integer) -> Integer:
        return ceil_div(size_bytes * self.cycles, self.of_bytes)


class Outer(NamedTuple):
    """How a tier is used: the loops over its blocks, in which all that is inside it works on one block at a time."""

    tier: Tier
    nest: Nest
    block: Sizes


def tiers(memory: Memory) -> tuple[Tier, ...]:
    """The memories around the scratchpad, from there outwards; the last one is DRAM."""
    levels = []
    for level in memory.levels:
        rate = level.cycles_per_byte(memory.clock_ghz)
        usable = level.share_bytes // (2 if level.double_buffered else 1)
        numbers = usable, rate.numerator, rate.denominator, level.double_buffered, level.width_bytes
        levels.append(Tier(level.name, frozenset(level.keeps), *numbers))
    rate = memory.cycles_per_byte
    return *levels, Tier(DRAM, frozenset(KEPT), 0, rate.numerator, rate.denominator)


def waits_for_dram(memory: Memory) -> tuple[Key, ...]:
    """Where cycles go in which the array waits for DRAM alone; where there are levels, each memory's are told apart."""
    return (STALLS, stalls_of(DRAM)) if memory.levels else (STALLS,)
