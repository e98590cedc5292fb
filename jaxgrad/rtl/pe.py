"""The PE that runs a pass, drawn from the pass's own functions: registers, one multiplier, one adder, selections.

The order within a cycle is that of the register engine (``array.passes.overlapped``): drain, MAC, load. Whose MAC it
is, the ``owner``, is known as each slot's circuit is traced; so products of slots that never meet share a multiplier.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad.array.passes.base import Keeps, Pass, Wave
from jaxgrad.array.passes.circuit import Node, gates, inputs, traced
from jaxgrad.array.passes.combinators import planes
from jaxgrad.base.errors import InputError

Kind = Literal["operand", "sum", "bit"]
"""What a wire carries: a word of an operand, a word as wide as sums, or a bit."""

CARRIED: dict[Keeps, dict[str, Kind]] = {
    "operand": {"h_in": "operand", "v_in": "sum"},
    "result": {"h_in": "operand", "v_in": "operand"},
    "nothing": {"h_in": "sum", "v_in": "operand"},
}
"""What the links carry in a slot, by what it keeps (``passes.base``)."""


class Circuit(NamedTuple):
    """What a PE computes while a slot owns its MAC.

    Args:
        registers: the next value of each.
        h_out, v_out: what the links take.
        chains: what the shift chain of each slot hands to the PE below.
    """

    registers: dict[str, Node]
    h_out: Node
    v_out: Node
    chains: dict[int, Node]

    def roots(self) -> list[Node]:
        return [*self.registers.values(), self.h_out, self.v_out, *self.chains.values()]


class Pe(NamedTuple):
    """A PE: a circuit for each slot, and what its wires and registers carry.

    Args:
        keeps: for each slot, what stays in the PE.
        circuits: one a slot.
        kinds: of each register, and of ``h_in`` and ``v_in``, which are as wide as the widest that they carry.
    """

    keeps: tuple[Keeps, ...]
    circuits: tuple[Circuit, ...]
    kinds: dict[str, Kind]

    @property
    def shifted(self) -> tuple[int, ...]:
        """The slots whose registers are a chain."""
        return tuple(slot for slot, kept in enumerate(self.keeps) if kept != "nothing")


def pe_of(pass_: Pass) -> Pe:
    """The PE of a pass.

    Raises:
        InputError: its functions do what a PE has no gate for.

    >>> from jaxgrad.array.passes.combinators import interleave
    >>> from jaxgrad.array.passes.output_stationary import output_stationary
    >>> from jaxgrad.array.passes.weight_stationary import weight_stationary
    >>> pe_of(interleave(weight_stationary(), output_stationary())).kinds
    {'acc': 'sum', 'w': 'operand', 'h_in': 'operand', 'v_in': 'sum'}
    """
    circuits = tuple(_circuit(pass_, owner) for owner in range(len(pass_.keeps)))
    return Pe(pass_.keeps, circuits, _kinds(pass_.keeps, circuits))


def _circuit(pass_: Pass, owner: int) -> Circuit:
    plane, flag = jnp.zeros((1, 1), jnp.float32), jnp.zeros((1, 1), bool)
    registers = pass_.init(1, 1, jnp.float32)
    names, tree = list(planes(registers)), jax.tree.structure(registers)
    wires: dict[str, Any] = {name: (node, plane) for name, node in zip(names, inputs(*names), strict=True)}
    links = {name: (inputs(name)[0], plane) for name in ("h_in", "v_in")}
    flags = {name: (inputs(name)[0], flag) for name in ("first", "last")}
    shifts = {
        slot: {"top": (inputs(f"top{slot}")[0], plane[0]), "enable": (inputs(f"shift{slot}")[0], flag)}
        for slot, kept in enumerate(pass_.keeps)
        if kept != "nothing"
    }

    def cycle(wires: dict[str, Any], links: Any, flags: Any, shifts: Any) -> Any:
        now = jax.tree.unflatten(tree, [wires[name] for name in names])
        chains: dict[int, Any] = {}

        def shift(kept: Keeps, registers: Any) -> Any:
            for slot in (slot for slot, kind in enumerate(pass_.keeps) if kind == kept):
                registers, chains[slot] = pass_.shift(registers, slot, shifts[slot]["top"], shifts[slot]["enable"])
            return registers

        now = shift("result", now)
        done = pass_.step(
            now, links["h_in"], links["v_in"], Wave(jnp.full((1, 1), owner), flags["first"], flags["last"])
        )
        sent = links["h_in"] if done.h is None else done.h
        return planes(shift("operand", done.registers)), sent, done.v, chains

    return Circuit(*traced(cycle, (wires, links, flags, shifts)))


def _kinds(keeps: tuple[Keeps, ...], circuits: tuple[Circuit, ...]) -> dict[str, Kind]:
    """What registers carry follows from what flows into them; from none at first, until nothing changes."""
    kinds: dict[str, Kind | None] = dict.fromkeys(circuits[0].registers)
    while True:
        found = dict(kinds)
        for kept, circuit in zip(keeps, circuits, strict=True):
            known = kinds_of(circuit, found, keeps, kept)
            for name, node in circuit.registers.items():
                found[name] = _wider(found[name], known[node])
        if found == kinds:
            break
        kinds = found
    settled: dict[str, Kind] = {name: kind or "operand" for name, kind in kinds.items()}
    for link in ("h_in", "v_in"):
        settled[link] = "sum" if any(CARRIED[kept][link] == "sum" for kept in keeps) else "operand"
    return settled


def kinds_of(
    circuit: Circuit, registers: dict[str, Any], keeps: tuple[Keeps, ...], kept: Keeps
) -> dict[Node, Kind | None]:
    """The kind of every node of a circuit; None where it is the constant 0 and so any."""
    known: dict[Node, Kind | None] = {}
    for node in gates(circuit.roots()):
        parts: list[Kind | None] = [known[part] for part in node.of]
        if node.gate == "input":
            known[node] = _input_kind(node.value, registers, keeps, kept)
        elif node.gate == "constant":
            known[node] = "bit" if isinstance(node.value, bool) else None
        elif node.gate == "select":
            known[node] = _wider(parts[1], parts[2])
        elif node.gate == "mul":
            if parts != ["operand", "operand"] and None not in parts:
                raise InputError(
                    "dataflow", "mul", "multiply words of operands", problem="got a product of sums in a PE"
                )
            known[node] = "sum"
        else:
            known[node] = "sum" if node.gate in ("add", "sub", "neg") else "bit"
    return known


def _input_kind(name: str, registers: dict[str, Any], keeps: tuple[Keeps, ...], kept: Keeps) -> Kind | None:
    if name in CARRIED[kept]:
        return CARRIED[kept][name]
    if name in registers:
        return registers[name]
    if name.startswith("top"):
        return "operand" if keeps[int(name.removeprefix("top"))] == "operand" else "sum"
    return "bit"


def _wider(one: Kind | None, other: Kind | None) -> Kind | None:
    return "sum" if "sum" in (one, other) else one or other
