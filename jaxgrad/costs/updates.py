"""What an update of weights beside the array takes, and the counts that a machine has of anything."""

from __future__ import annotations

from collections.abc import Mapping

from jaxgrad.array import layers
from jaxgrad.array.counts import CYCLES, DRAM, KEYS, Key
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.layers import Sizes
from jaxgrad.costs import hierarchy
from jaxgrad.costs.hierarchy import memory_keys
from jaxgrad.costs.records import Counts
from jaxgrad.costs.tiers import waits_for_dram
from jaxgrad.hardware import Machine


def update_apart(sizes: Sizes, emulation: Emulation, machine: Machine, *, update_cycles: bool) -> Counts | None:
    """What the update of a layer's weights takes beside the array; None where none is counted.

    Where its cycles are charged, it is a run of its own: its transfers overlap with it as those of other runs do.
    """
    extra = with_memory(layers.update(emulation.weight_update, sizes, in_array=False), machine)
    if not extra:
        return None
    busy = layers.update_cycles(sizes, machine.array) if update_cycles else 0
    if machine.memory is not None:
        transfers = hierarchy.transfer_cycles(extra, machine)
        waits = max(0, transfers - busy) if machine.memory.double_buffered else transfers
        extra |= dict.fromkeys(waits_for_dram(machine.memory), waits)
    extra[CYCLES] = busy
    return complete(extra, machine)


def with_memory(counts: Mapping[Key, int], machine: Machine) -> dict[Key, int]:
    """The counts of an update; what the scratchpad reads and writes, DRAM does too."""
    beyond = {key._replace(level=DRAM): words for key, words in counts.items()}
    return {**counts, **(beyond if machine.memory is not None else {})}


def complete(counts: Counts, machine: Machine) -> Counts:
    """The counts with a number for every key that the machine has."""
    return dict.fromkeys((*KEYS, *memory_keys(machine)), 0) | dict(counts)
