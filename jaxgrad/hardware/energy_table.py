"""Energy tables in Accelergy's format (Wu, Emer, Sze, ICCAD 2019): what one of each action takes, by component.

A table names components by their path in a design, ``system.core[0..3].PE[0..255].mac``, and gives what one action of
one instance takes in pJ. Components and actions are those of ``ACTIONS``; of registers and memories the actions may
also be Accelergy's usual ``read`` and ``write``, and ``mac`` may have ``forward``, ``dx`` and ``dw``, in place of which
``compute`` stands otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from jaxgrad.base.errors import InputError, number, shown
from jaxgrad.hardware.precision import PRODUCTS, TENSORS

Table = Mapping[str, Mapping[str, Any]]
"""pJ by component and action; floats, or arrays for many machines at once."""

ACTIONS: dict[str, tuple[str, ...]] = {
    "mac": ("compute",),
    "register": ("weight", "accumulator"),
    "hop": ("x", "dy", "psum"),
    "sram": TENSORS,
    "dram": TENSORS,
    "idle": ("cycle",),
    "leakage": ("cycle",),
    "vector": ("operation", "sram", "dram"),
}
"""Components of a machine, and what each does."""


def actions(levels: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """``ACTIONS``, and those of memories between scratchpad and DRAM, by name."""
    return ACTIONS | dict.fromkeys(levels, TENSORS)


# Actions that a table may have besides: a MAC of each product, where these have operands of different formats.
_OPTIONAL: dict[str, tuple[str, ...]] = {"mac": PRODUCTS}
# What an action takes where a table has Accelergy's own actions in its place: their mean. Costs count reads and writes
# of a tensor together; a sum in a register is read and written once for each update.
_IN_REGISTERS: dict[str, tuple[str, ...]] = {"weight": ("read",), "accumulator": ("read", "write")}
_IN_MEMORIES: dict[str, tuple[str, ...]] = dict.fromkeys(TENSORS, ("read", "write"))


def read_ert(text: str, origin: str, levels: Sequence[str] = ()) -> Table:
    """An energy reference table, of this module's or another's making.

    Components go by the last name of their path, in capitals or not; those that costs have no use for may be there too,
    with their actions. A memory with ``read`` and ``write`` alone takes their mean for an access to any tensor, and is
    to give them for one word, or of a level that has a width, for one access of it.

    Args:
        text: YAML, in the format of Accelergy 0.2 (tables by name) or of later ones (a list of tables).
        origin: the name of the file, for messages.
        levels: the names of memories between scratchpad and DRAM, each of which has a table too.

    Raises:
        InputError: it is no such table; a component or an action of ``actions`` is missing or there twice; an
            energy is not a number of at least 0.
    """
    try:
        return _read(text, actions(levels))
    except InputError as error:
        raise error.within(origin) from None


def load_ert(path: Path, levels: Sequence[str] = ()) -> Table:
    """``read_ert`` of a file.

    Raises:
        InputError: it cannot be read, or its table will not do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError("table", path, "give the path of a YAML file that can be read") from None
    return read_ert(text, str(path), levels)


def from_numbers(numbers: Table, levels: Sequence[str] = ()) -> Table:
    """A table from pJ by component and action, as ``read_ert`` returns it.

    Args:
        numbers: of each component, a number for each action.
        levels: as of ``read_ert``.

    Raises:
        InputError: a component or an action is missing, or an energy is not a number of at least 0.

    >>> components = {name: dict.fromkeys(actions, 1.5) for name, actions in ACTIONS.items()}
    >>> from_numbers(components)["mac"]
    {'compute': 1.5}
    """
    listed = {
        component: {action: {"energy": energy} for action, energy in by_action.items()}
        for component, by_action in numbers.items()
    }
    return _tabulated(listed, actions(levels))


def _read(text: str, wanted: Mapping[str, tuple[str, ...]]) -> Table:
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError("table", None, f"mend it: {problem}", problem="got something that is no YAML") from None
    except (ValueError, RecursionError):  # Python's own limits
        problem = "got a number of thousands of digits, or nesting as deep"
        raise InputError("table", None, "give pJ by component and action", problem=problem) from None
    tables = tree.get("ERT") if isinstance(tree, dict) else None
    tables = tables.get("tables") if isinstance(tables, dict) else None
    if not isinstance(tables, dict | list):
        raise InputError("ERT.tables", tables, "give a list of tables, each with a name and actions")
    return _tabulated(tables, wanted)


def _tabulated(tables: dict[Any, Any] | list[Any], wanted: Mapping[str, tuple[str, ...]]) -> Table:
    energies: dict[str, dict[str, float]] = {}
    for component, name, entries in _components(tables, wanted):
        if component in energies:
            raise InputError(component, name, "give one", problem=f"got a second table, {shown(name)}")
        energies[component] = _energies(component, entries, wanted[component])
    for component in wanted:
        if component not in energies:
            raise InputError(
                component,
                None,
                f"give one, named {component!r} or with a path that ends in it (jaxgrad run writes whole "
                "tables of its machines, in accelergy/)",
                problem="got no table",
            )
    return {component: energies[component] for component in wanted}


def _components(tables: dict[Any, Any] | list[Any], wanted: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Each component that costs know: its own name, its path, its actions."""
    pairs = tables.items() if isinstance(tables, dict) else map(_named, tables)
    for name, entries in pairs:
        component = re.sub(r"\[[^\]]*\]$", "", str(name)).rsplit(".", 1)[-1].lower()
        if component in wanted:
            yield component, str(name), entries


def _named(table: Any) -> tuple[Any, Any]:
    if not isinstance(table, dict) or "name" not in table:
        raise InputError("ERT.tables", table, "give a name and actions")
    return table["name"], table.get("actions")


def _energies(component: str, listed: Any, wanted: Sequence[str]) -> dict[str, float]:
    """pJ by action."""
    if isinstance(listed, dict):  # Accelergy 0.2: by name, a list where energies differ by arguments
        entries = [
            (name, entry) for name, value in listed.items() for entry in (value if isinstance(value, list) else [value])
        ]
    elif isinstance(listed, list):
        entries = [(entry.get("name") if isinstance(entry, dict) else None, entry) for entry in listed]
    else:
        raise InputError(component, listed, "give a list of actions, each with a name and an energy")
    energies: dict[str, float] = {}
    names = [name for name, _ in entries]
    means = _IN_REGISTERS if component == "register" else _IN_MEMORIES if tuple(wanted) == TENSORS else {}
    for action in (*wanted, *(name for name in _OPTIONAL.get(component, ()) if name in names)):
        in_place = means.get(action, ())
        priced = (action,) if action in names or not set(in_place) & set(names) else in_place
        energies[action] = sum(_energy(component, name, entries) for name in priced) / len(priced)
    return energies


def _energy(component: str, action: str, entries: list[tuple[Any, Any]]) -> float:
    """pJ of the one action of that name."""
    matching = [entry for name, entry in entries if name == action]
    field = f"{component}.{action}"
    if len(matching) != 1:
        raise InputError(
            field,
            matching,
            "give one, whatever the action's arguments",
            problem=f"got {len(matching) or 'no'} energies",
        )
    return number(field, matching[0].get("energy") if isinstance(matching[0], dict) else matching[0])
