"""Energy of counted events: a table of what each action takes on a machine, times how often it happens.

The table is Accelergy's energy reference table in small (``hardware.energy_table``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxgrad.array.counts import (
    ACC_UPDATES,
    CYCLES,
    DRAM,
    EFFECTUAL_MACS,
    HOPS,
    MACS,
    PE,
    READS,
    SRAM,
    STALLS,
    VECTOR_OPERATIONS,
    WORDS,
    WRITES,
    Counts,
    Key,
)
from jaxgrad.base.arithmetic import Integer
from jaxgrad.base.errors import InputError
from jaxgrad.hardware import Machine, Precision, Technology
from jaxgrad.hardware.energy_table import ACTIONS, Table
from jaxgrad.hardware.precision import TENSORS

COMPONENTS: tuple[str, ...] = tuple(ACTIONS)
_ENERGETIC_MACS = Key(PE, "", "energetic_macs")


def _moved(tensor: str, *levels: str) -> Callable[[Counts], Integer]:
    """Words of a tensor that are read or written on some levels."""
    keys = [Key(level, tensor, action) for level in levels for action in (READS, WRITES)]
    return lambda counts: sum(counts.get(key, 0) for key in keys)


def _of(*keys: Key) -> Callable[[Counts], Integer]:
    return lambda counts: sum(counts.get(key, 0) for key in keys)


# component -> action -> how often it happens. What DRAM delivers is written into the scratchpad, and what it takes is
# read from there: an access each.
_TIMES: dict[str, dict[str, Callable[[Counts], Integer]]] = {
    "mac": {"compute": _of(_ENERGETIC_MACS)},
    "register": {
        # A weight-stationary MAC reads its weight; an output-stationary one reads and writes its sum.
        "weight": lambda counts: counts[MACS] - counts[ACC_UPDATES],
        "accumulator": lambda counts: 2 * counts[ACC_UPDATES],
    },
    "hop": {name: _of(Key(PE, name, HOPS)) for name in ACTIONS["hop"]},
    "sram": {name: _moved(name, SRAM, DRAM) for name in TENSORS},
    "dram": {name: _moved(name, DRAM) for name in TENSORS},
    "idle": {"cycle": _of(CYCLES, STALLS)},
    "leakage": {"cycle": _of(CYCLES, STALLS)},
    "vector": {
        "operation": _of(VECTOR_OPERATIONS),
        "sram": _of(Key(SRAM, "vector", WORDS)),
        "dram": _of(Key(DRAM, "vector", WORDS)),
    },
}


def table(machine: Machine) -> Table:
    """What one of each action takes on ``machine``, in pJ.

    Raises:
        ValueError: the machine has no technology, or that has no figure for what it computes with.
    """
    if machine.energies is not None:
        return machine.energies
    if machine.technology is None or machine.memory is None:
        raise InputError("technology", None, "energy needs one, and a memory", problem="got none")
    memory, pes = machine.memory, machine.array.pes * machine.cores
    sizes = {name: memory.part_bytes(name) for name in TENSORS}
    all_bytes = memory.total_bytes * machine.cores
    return priced(machine.technology, machine.precision, sizes, pes=pes, sram_bytes=all_bytes)


def priced(
    technology: Technology, precision: Precision, sizes: Mapping[str, Any], *, pes: Integer, sram_bytes: Integer
) -> Table:
    """The table of a machine by its sizes, any of which may be an array.

    Args:
        technology, precision: what its parts take, and its number formats.
        sizes: bytes of the SRAM that holds each tensor.
        pes, sram_bytes: of all cores together.

    Raises:
        ValueError: the technology has no figure for what it computes with.
    """
    macs = dict(technology.mac_pj)
    if precision.multiplier not in macs:
        raise InputError(
            "precision", precision.multiplier, f"technology {technology.name!r} has MACs of {', '.join(macs)}"
        )
    bits = {name: precision.format(name).bits_per_word for name in TENSORS}
    sram, dram = technology.sram_access_pj_per_bit, technology.dram_pj_per_bit
    parts = {name: sram(sizes[name]) * bits[name] for name in TENSORS}
    return {
        "mac": {"compute": macs[precision.multiplier]},
        "register": {
            "weight": technology.register_pj_per_bit * bits["w"],
            "accumulator": technology.register_pj_per_bit * bits["psum"],
        },
        "hop": {name: technology.hop_pj_per_bit * bits[name] for name in ("x", "dy", "psum")},
        "sram": parts,
        "dram": {name: dram * bits[name] for name in TENSORS},
        "idle": {"cycle": technology.idle_pj_per_pe_cycle * pes},
        "leakage": {"cycle": technology.sram_leakage_pj_per_byte_cycle * sram_bytes},
        # The vector unit works on activations.
        "vector": {
            "operation": technology.vector_pj_per_operation,
            "sram": parts["x"],
            "dram": parts["x"] + dram * bits["x"],
        },
    }


def energy_pj(counts: Counts, prices: Table, *, zero_gating: bool = False) -> dict[str, float]:
    """Energy of some counts in pJ, by component.

    Args:
        counts: of the array, its memories and the vector unit.
        prices: from ``table``, or a table of one's own with the same components and actions.
        zero_gating: whether only MACs with both operands non-zero take energy.
    """
    counted = {**counts, _ENERGETIC_MACS: counts[EFFECTUAL_MACS if zero_gating else MACS]}
    return {
        component: sum(_TIMES[component][action](counted) * prices[component][action] for action in actions)
        for component, actions in ACTIONS.items()
    }
