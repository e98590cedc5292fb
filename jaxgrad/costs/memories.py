"""The memories of a machine in one list, from the registers of its PEs to DRAM, and what each does in a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from jaxgrad.array.counts import (
    ACC_UPDATES,
    DRAM,
    FILLS,
    HOPS,
    MACS,
    PE,
    PORT_ACCESSES,
    READS,
    SRAM,
    WRITE_BACKS,
    WRITES,
    Key,
)
from jaxgrad.array.schedules import Schedule, find
from jaxgrad.costs import energy
from jaxgrad.hardware import Machine
from jaxgrad.hardware.level import KEPT

REGISTER = "register"
"""The name of the innermost level: the registers in which the PEs keep words between clock cycles."""


@dataclass(frozen=True)
class MemoryLevel:
    """A memory of a machine.

    Args:
        name: ``register``, ``sram``, a level's own, or ``dram``.
        instances: how many there are; of registers, PEs that have them.
        keeps: the tensors that it keeps, the partial sums of a result with it.
        size_words: of each, where every word has a place of its own: of registers alone.
        size_bytes: of each; None where it holds whatever there is.
        width_bits: of an access; None where words are moved one by one.
        gb_per_s: what each moves, in 10^9 bytes a second; None where it keeps pace with the array.
        double_buffered: whether it fills while what is inside works from its other half.
        shared_by: cores that share each.
        pj: what one of each action takes, by component and action (``hardware.energy_table``); empty without a
            technology.
    """

    name: str
    instances: int
    keeps: tuple[str, ...] = KEPT
    size_words: int | None = None
    size_bytes: float | None = None
    width_bits: float | None = None
    gb_per_s: float | None = None
    double_buffered: bool = False
    shared_by: int = 1
    pj: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Activity:
    """What a memory does, in words.

    Args:
        reads, writes: what is inside takes from it and gives it; a MAC reads what its PE keeps, and writes its sum.
        fills, write_backs: what comes from the outside of it, and goes there.
        hops: moves from a register to that of the next PE.
        accesses: of a level that has a width, in accesses: all that it does.
    """

    reads: int = 0
    writes: int = 0
    fills: int = 0
    write_backs: int = 0
    hops: int = 0
    accesses: int = 0


def memory_levels(machine: Machine, schedule: str | Schedule) -> tuple[MemoryLevel, ...]:
    """All memories of a machine, from the array outwards; DRAM is there if the machine has a memory.

    Args:
        machine: the hardware.
        schedule: what the PEs are built for: their registers are those that its passes keep words in. The links to the
            next PEs are none.

    >>> from jaxgrad import Accelerator, Machine, Memory, Precision
    >>> machine = Machine(Accelerator(4, 4, double_buffered=True), Memory(4096, 8.0), Precision.of("bf16"))
    >>> [level.name for level in memory_levels(machine, "interleaved")]
    ['register', 'sram', 'dram']
    >>> registers, *_ = memory_levels(machine, "interleaved")
    >>> registers.keeps, registers.size_words, registers.size_bytes  # w and dW, each with a shadow
    (('w', 'dw'), 4, 12.0)
    """
    memory, cores = machine.memory, machine.cores
    prices = energy.table(machine) if memory and (machine.technology or machine.energies) else {}

    def pj(*components: str) -> dict[str, Mapping[str, float]]:
        return {component: prices[component] for component in components if prices}

    registers = _registers(machine, find(schedule), pj("register", "hop"))
    if memory is None:
        return registers, MemoryLevel(SRAM, cores)
    return (
        registers,
        MemoryLevel(SRAM, cores, size_bytes=memory.total_bytes, double_buffered=memory.double_buffered, pj=pj(SRAM)),
        *(
            MemoryLevel(
                level.name,
                cores // level.shared_by,
                level.keeps,
                size_bytes=level.size_bytes,
                width_bits=level.width_bits,
                gb_per_s=level.rate_gb_per_s(memory.clock_ghz),
                double_buffered=level.double_buffered,
                shared_by=level.shared_by,
                pj=pj(level.name),
            )
            for level in memory.levels
        ),
        MemoryLevel(DRAM, cores, gb_per_s=memory.dram_gb_per_s, pj=pj(DRAM)),
    )


def activities(counts: Mapping[Key, int], levels: Iterable[str]) -> dict[str, Activity]:
    """What each memory does, by its name, from the registers outwards.

    Args:
        counts: see ``records.Counts``.
        levels: names of those between scratchpad and DRAM, from the scratchpad outwards.
    """
    words: dict[tuple[str, str], int] = {}
    for key, count in counts.items():
        words[key.level, key.action] = words.get((key.level, key.action), 0) + count

    def of(level: str, action: str) -> int:
        return words.get((level, action), 0)

    levels = tuple(levels)
    # What the memories around the scratchpad give, but for what stays on its way in another of them.
    into = of(DRAM, READS) + sum(of(level, READS) - of(level, FILLS) for level in levels)
    out = of(DRAM, WRITES) + sum(of(level, WRITES) - of(level, WRITE_BACKS) for level in levels)
    taken, given = of(SRAM, READS), of(SRAM, WRITES)
    return {
        REGISTER: Activity(counts.get(MACS, 0), counts.get(ACC_UPDATES, 0), taken, given, hops=of(PE, HOPS)),
        SRAM: Activity(taken, given, into, out),
        **{
            level: Activity(
                *(of(level, action) for action in (READS, WRITES, FILLS, WRITE_BACKS)),
                accesses=of(level, PORT_ACCESSES),
            )
            for level in levels
        },
        DRAM: Activity(of(DRAM, READS), of(DRAM, WRITES)),
    }


def energies_pj(energy_pj: Mapping[str, float], levels: Iterable[str]) -> dict[str, float]:
    """Energy of each memory by its name, of a step's by component; what is no memory's is left out."""
    components = {REGISTER: ("register", "hop"), **{name: (name,) for name in (SRAM, *levels, DRAM)}}
    return {name: sum(energy_pj[component] for component in parts) for name, parts in components.items()}


def _registers(machine: Machine, schedule: Schedule, pj: Mapping[str, Mapping[str, float]]) -> MemoryLevel:
    operands: set[str] = set()
    results: set[str] = set()
    most_operands = most_results = 0
    for mapping in (mapping for member in schedule.members for choice in member.runs for mapping in choice):
        slots = range(len(mapping.products))
        stay = [mapping.operand(slot)[0] for slot in slots if mapping.keeps[slot] == "operand"]
        sums = [mapping.result(slot)[0] for slot in slots if mapping.keeps[slot] == "result"]
        operands, results = operands | set(stay), results | set(sums)
        most_operands, most_results = max(most_operands, len(stay)), max(most_results, len(sums))
    bits = machine.precision.format
    widest = max((bits(name).bits_per_word for name in operands), default=0.0)
    width = bits("psum").bits_per_word
    shadows = 2 if machine.array.double_buffered else 1
    return MemoryLevel(
        REGISTER,
        machine.array.pes * machine.cores,
        tuple(name for name in KEPT if name in operands | results),
        size_words=shadows * (most_operands + most_results),
        size_bytes=shadows * (most_operands * widest + most_results * width) / 8,
        double_buffered=machine.array.double_buffered,
        pj=pj,
    )


def listed(
    machine: Machine, schedule: str | Schedule, counts: Mapping[Key, int], energy_pj: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The memories with what each does, as plain data: from the registers outwards.

    Args:
        machine, schedule: see ``memory_levels``.
        counts: of what they do.
        energy_pj: of that by component; empty where it is not known.
    """
    names = [level.name for level in machine.memory.levels] if machine.memory else []
    done = activities(counts, names)
    spent = energies_pj(energy_pj, names) if energy_pj else {}
    return [
        {
            **asdict(level),
            "keeps": list(level.keeps),
            "done": asdict(done[level.name]),
            **({"energy_pj": spent[level.name]} if spent else {}),
        }
        for level in memory_levels(machine, schedule)
    ]
