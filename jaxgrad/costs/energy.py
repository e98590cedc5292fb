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
    FILLS,
    HOPS,
    MACS,
    PE,
    PORT_ACCESSES,
    READS,
    SRAM,
    STALLS,
    VECTOR_OPERATIONS,
    WORDS,
    WRITE_BACKS,
    WRITES,
    Counts,
    Key,
)
from jaxgrad.base.arithmetic import Integer
from jaxgrad.base.errors import InputError
from jaxgrad.hardware import Machine, Precision, Technology
from jaxgrad.hardware.energy_table import ACTIONS, Table, actions
from jaxgrad.hardware.precision import PRODUCTS, TENSORS

COMPONENTS: tuple[str, ...] = tuple(ACTIONS)
_ENERGETIC_MACS = Key(PE, "", "energetic_macs")


def _of(*keys: Key) -> Callable[[Counts], Integer]:
    return lambda counts: sum(counts.get(key, 0) for key in keys)


def _in_scratchpad(tensor: str) -> Callable[[Counts], Integer]:
    """Words that the array reads and writes there, and those that come in and go out: an access each.

    What the memories around it give and take is what comes and goes, but for what stays on its way in another of them.
    """

    def accesses(counts: Counts) -> Integer:
        passing = 0
        for key, words in counts.items():
            if key.tensor == tensor and key.action in (READS, WRITES):
                passing = passing + words
            elif key.tensor == tensor and key.action in (FILLS, WRITE_BACKS):
                passing = passing - words
        return passing

    return accesses


def _in_level(level: str, tensor: str) -> Callable[[Counts], Integer]:
    """Words that go in and out of a level on both sides, or the accesses that they take where it counts these."""
    at_width = Key(level, tensor, PORT_ACCESSES)
    words = _of(*(Key(level, tensor, action) for action in (READS, WRITES, FILLS, WRITE_BACKS)))
    return lambda counts: counts[at_width] if at_width in counts else words(counts)


# component -> action -> how often it happens.
_TIMES: dict[str, dict[str, Callable[[Counts], Integer]]] = {
    "mac": {"compute": _of(_ENERGETIC_MACS)},
    "register": {
        # A weight-stationary MAC reads its weight; an output-stationary one reads and writes its sum.
        "weight": lambda counts: counts[MACS] - counts[ACC_UPDATES],
        "accumulator": lambda counts: 2 * counts[ACC_UPDATES],
    },
    "hop": {name: _of(Key(PE, name, HOPS)) for name in ACTIONS["hop"]},
    "sram": {name: _in_scratchpad(name) for name in TENSORS},
    "dram": {name: _of(Key(DRAM, name, READS), Key(DRAM, name, WRITES)) for name in TENSORS},
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
    memory, pes, technology = machine.memory, machine.array.pes * machine.cores, machine.technology
    sizes = {name: memory.part_bytes(name) for name in TENSORS}
    all_bytes = memory.total_bytes * machine.cores + sum(machine.level_bytes.values())
    levels: dict[str, dict[str, float]] = {}
    for level in memory.levels:
        access = level.pj_per_bit
        pj_per_bit = technology.sram_access_pj_per_bit(level.size_bytes) if access is None else access
        bits = {name: level.width_bits or machine.precision.format(name).bits_per_word for name in TENSORS}
        levels[level.name] = {name: pj_per_bit * bits[name] for name in TENSORS}
    return {**priced(technology, machine.precision, sizes, pes=pes, sram_bytes=all_bytes), **levels}


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
    bits = {name: precision.format(name).bits_per_word for name in TENSORS}
    sram, dram = technology.sram_access_pj_per_bit, technology.dram_pj_per_bit
    parts = {name: sram(sizes[name]) * bits[name] for name in TENSORS}
    return {
        "mac": _macs(technology, precision),
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


def _macs(technology: Technology, precision: Precision) -> dict[str, float]:
    """A MAC on the datapath of the widest operand; where operands differ, also one of each product."""
    widest = technology.product_pj((precision.multiplier, precision.multiplier))
    products = {product: technology.product_pj(precision.pair(product)) for product in PRODUCTS}
    return {"compute": widest} | (products if len({precision.x, precision.w, precision.dy}) > 1 else {})


def _mac_pj(prices: Mapping[str, Any], phase: str) -> Any:
    """A MAC of a phase; where one computes both gradients, half of its MACs are each one's."""
    products = [phase] if phase in PRODUCTS else ["dx", "dw"]
    return sum(prices.get(product, prices["compute"]) for product in products) / len(products)


def energy_pj(
    counts: Counts, prices: Table, *, zero_gating: bool = False, phase: str | None = None
) -> dict[str, float]:
    """Energy of some counts in pJ, by component.

    Args:
        counts: of the array, its memories and the vector unit.
        prices: from ``table``, or a table of one's own with the same components and actions; what else it has are
            levels between scratchpad and DRAM.
        zero_gating: whether only MACs with both operands non-zero take energy.
        phase: of a training step, whose products' MACs are priced; None for MACs on the datapath of the widest operand.
    """
    if phase is not None:
        prices = {**prices, "mac": {"compute": _mac_pj(prices["mac"], phase)}}
    counted = {**counts, _ENERGETIC_MACS: counts[EFFECTUAL_MACS if zero_gating else MACS]}
    levels = [component for component in prices if component not in ACTIONS]
    times = _TIMES | {level: {name: _in_level(level, name) for name in TENSORS} for level in levels}
    return {
        component: sum(times[component][action](counted) * prices[component][action] for action in listed)
        for component, listed in actions(levels).items()
    }
