"""Energy and area reference tables as Accelergy reads them (Wu, Emer, Sze, ICCAD 2019), in YAML.

A table names components by their path in a design, ``system.core[0..3].PE[0..255].mac``, and gives what one action of
one instance takes in pJ (ERT), or the area of one instance in um2 (ART). Components and actions are those of
``energy.ACTIONS``; of registers and memories the actions may also be Accelergy's usual ``read`` and ``write``.
"""

from __future__ import annotations

import yaml

from jaxgrad.costs import energy
from jaxgrad.costs.area import area, pe_um2
from jaxgrad.hardware import Machine

_VERSION = 0.3
_PER_PE = ("mac", "register", "hop")
_PER_CORE = ("sram", "vector")


def write_ert(machine: Machine) -> str:
    """The energy reference table of a machine; ``idle`` and ``leakage`` are those of all cores together.

    Raises:
        ValueError: the machine has no technology, or that has no figure for what it computes with.
    """
    prices = energy.table(machine)
    components = [component for component in prices if component not in machine.level_bytes]
    outermost = components.index("dram")
    components[outermost:outermost] = machine.level_bytes  # memories from the registers outwards
    tables = [
        {
            "name": _path(component, machine),
            "actions": [{"name": action, "arguments": None, "energy": pj} for action, pj in prices[component].items()],
        }
        for component in components
    ]
    return yaml.safe_dump({"ERT": {"version": _VERSION, "tables": tables}}, sort_keys=False)


def write_art(machine: Machine, schedule: str) -> str:
    """The area reference table of a machine, with the PEs that ``schedule`` needs.

    Raises:
        ValueError: no technology, or no figure for the machine's datapath.
    """
    areas = area(machine, schedule)
    tables = [
        {"name": f"{_core(machine)}.{_pe(machine)}", "area": pe_um2(machine, schedule)},
        {"name": _path("sram", machine), "area": areas.sram_um2 / machine.cores},
        *({"name": _path(name, machine), "area": um2 / _many(name, machine)} for name, um2 in areas.levels_um2.items()),
    ]
    return yaml.safe_dump({"ART": {"version": _VERSION, "tables": tables}}, sort_keys=False)


def _path(component: str, machine: Machine) -> str:
    if component in _PER_PE:
        return f"{_core(machine)}.{_pe(machine)}.{component}"
    if component in machine.level_bytes:
        return f"system.{component}[0..{_many(component, machine) - 1}]"
    return f"{_core(machine) if component in _PER_CORE else 'system'}.{component}"


def _many(level: str, machine: Machine) -> int:
    """How many there are of a level between scratchpad and DRAM."""
    assert machine.memory is not None
    (shared_by,) = (memory.shared_by for memory in machine.memory.levels if memory.name == level)
    return machine.cores // shared_by


def _core(machine: Machine) -> str:
    return f"system.core[0..{machine.cores - 1}]"


def _pe(machine: Machine) -> str:
    return f"PE[0..{machine.array.pes - 1}]"
