"""Work that is no matrix product, on a vector unit beside the array."""

from __future__ import annotations

from jaxgrad.array.counts import CYCLES, DRAM, SRAM, VECTOR_OPERATIONS, WORDS, Key
from jaxgrad.base.arithmetic import ceil_div
from jaxgrad.costs.tiers import waits_for_dram
from jaxgrad.costs.transfers import Storage
from jaxgrad.hardware import Machine


def counts(operations: int, words: int, machine: Machine) -> dict[Key, int]:
    """Counts of some elementwise work: cycles, operations, words of the scratchpad or, with a memory, of DRAM.

    Args:
        operations: of single elements.
        words: read and written.
        machine: with a vector unit. Where it has a memory, the words come from DRAM and go there, as activations do
            between layers, past all levels; the scratchpad only passes them on.
    """
    assert machine.vector_unit is not None
    cycles = ceil_div(operations, machine.vector_unit.lanes * machine.cores)
    spent = {CYCLES: cycles, VECTOR_OPERATIONS: operations, Key(SRAM, "vector", WORDS): words}
    if machine.memory is None:
        return spent
    moved = ceil_div(machine.precision.bytes("x", words), machine.cores)
    transfer = Storage.of(machine.memory).transfer_cycles(moved)
    stall = max(0, transfer - cycles) if machine.memory.double_buffered else transfer
    moved_words = {Key(SRAM, "vector", WORDS): 0, Key(DRAM, "vector", WORDS): words}
    return spent | moved_words | dict.fromkeys(waits_for_dram(machine.memory), stall)
