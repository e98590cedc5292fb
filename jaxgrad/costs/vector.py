"""Work that is no matrix product, on a vector unit beside the array."""

from __future__ import annotations

from jaxgrad.base.arithmetic import ceil_div
from jaxgrad.costs.transfers import Storage
from jaxgrad.hardware import Machine


def counts(operations: int, words: int, machine: Machine) -> dict[str, int]:
    """Counts of some elementwise work: ``cycles``, ``vector_operations``, ``vector_words`` and, with a memory, DRAM.

    Args:
        operations: of single elements.
        words: read and written.
        machine: with a vector unit. Where it has a memory, the words come from DRAM and go there, as activations do
            between layers; the scratchpad only passes them on.
    """
    assert machine.vector_unit is not None
    cycles = ceil_div(operations, machine.vector_unit.lanes * machine.cores)
    spent = {"cycles": cycles, "vector_operations": operations, "vector_words": words}
    if machine.memory is None:
        return spent
    moved = ceil_div(machine.precision.bytes("x", words), machine.cores)
    transfer = Storage.of(machine.memory).transfer_cycles(moved)
    stall = max(0, transfer - cycles) if machine.memory.double_buffered else transfer
    return spent | {"vector_words": 0, "dram_vector_words": words, "stall_cycles": stall}
