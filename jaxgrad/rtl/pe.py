"""The PE that runs a pass, drawn from the pass's own functions: registers, one multiplier, one adder, selections.

The order within a cycle is that of the register engine (``array.passes.overlapped``): drain, MAC, load. Whose MAC it
is, the ``owner``, is known as each slot's circuit is traced; so products of slots that never meet share a multiplier.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from jaxgrad.array.passes.base import Keeps, Pass, Wave
from jaxgrad.array.passes.circuit import Node, gates, inputs, traced
from jaxgrad.array.passes.combinators import planes
from jaxgrad.base.errors import InputError

Kind = Literal["bit", "weight", "operand", "sum"]
"""What a wire carries, the narrower first: a bit; a weight, where weights are narrower than other operands; a word of
any operand; a word as wide as sums."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
Carried = dict[str, Kind]


def carried(keeps: Keeps, stream: Kind = "operand", own: Kind = "operand") -> Carried:
    """What the links carry in a slot, and what enters its shift chain at the ``top`` (``passes.base``).

    Args:
        keeps: what stays in the PE.
        stream, own: the kinds of the operand that streams from the left, and of the slot's own.
    """
    if keeps == "operand":
        return {"h_in": stream, "v_in": "sum", "top": own}
    return {"h_in": stream, "v_in": own, "top": "sum"} if keeps == "result" else {"h_in": "sum", "v_in": own}


def widest(kinds: Iterable[Kind]) -> Kind:
    return max(kinds, key=_KINDS.index)


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
        links: for each slot, what its links and its chain carry.
        circuits: one a slot.
        kinds: of each register, and of ``h_in`` and ``v_in``, which are as wide as the widest that they carry.
    """

    keeps: tuple[Keeps, ...]
    links: tuple[Carried, ...]
    circuits: tuple[Circuit, ...]
    kinds: dict[str, Kind]

    @property
    def shifted(self) -> tuple[int, ...]:
        """The slots whose registers are a chain."""
        return tuple(slot for slot, kept in enumerate(self.keeps) if kept != "nothing")


def pe_of(pass_: Pass, links: tuple[Carried, ...] | None = None) -> Pe:
    """The PE of a pass.

    Args:
        pass_: what it does.
        links: for each slot, what they carry; operands that are all of one kind by default.

    Raises:
        InputError: its functions do what a PE has no gate for.

    >>> from jaxgrad.array.passes.combinators import interleave
    >>> from jaxgrad.array.passes.output_stationary import output_stationary
    >>> from jaxgrad.array.passes.weight_stationary import weight_stationary
    >>> pe_of(interleave(weight_stationary(), output_stationary())).kinds
    {'acc': 'sum', 'w': 'operand', 'h_in': 'operand', 'v_in': 'sum'}
    """
    circuits = tuple(_circuit(pass_, owner) for owner in range(len(pass_.keeps)))
    links = links or tuple(map(carried, pass_.keeps))
    return Pe(pass_.keeps, links, circuits, _kinds(links, circuits))


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


def _kinds(links: tuple[Carried, ...], circuits: tuple[Circuit, ...]) -> dict[str, Kind]:
    """What registers carry follows from what flows into them; from none at first, until nothing changes."""
    kinds: dict[str, Kind | None] = dict.fromkeys(circuits[0].registers)
    while True:
        found = dict(kinds)
        for slot, circuit in enumerate(circuits):
            known = kinds_of(circuit, found, links, slot)
            for name, node in circuit.registers.items():
                found[name] = _wider(found[name], known[node])
        if found == kinds:
            break
        kinds = found
    settled: dict[str, Kind] = {name: kind or "operand" for name, kind in kinds.items()}
    for link in ("h_in", "v_in"):
        settled[link] = widest(of_slot[link] for of_slot in links)
    return settled


def kinds_of(
    circuit: Circuit, registers: dict[str, Any], links: tuple[Carried, ...], slot: int
) -> dict[Node, Kind | None]:
    """The kind of every node of a slot's circuit; None where it is the constant 0 and so any."""
    known: dict[Node, Kind | None] = {}
    for node in gates(circuit.roots()):
        parts: list[Kind | None] = [known[part] for part in node.of]
        if node.gate == "input":
            known[node] = _input_kind(node.value, registers, links, slot)
        elif node.gate == "constant":
            known[node] = "bit" if isinstance(node.value, bool) else None
        elif node.gate == "select":
            known[node] = _wider(parts[1], parts[2])
        elif node.gate == "mul":
            if "sum" in parts:
                raise InputError(
                    "dataflow", "mul", "multiply words of operands", problem="got a product of sums in a PE"
                )
            known[node] = "sum"
        else:
            known[node] = "sum" if node.gate in ("add", "sub", "neg") else "bit"
    return known


def _input_kind(name: str, registers: dict[str, Any], links: tuple[Carried, ...], slot: int) -> Kind | None:
    if name in ("h_in", "v_in"):
        return links[slot][name]
    if name in registers:
        return registers[name]
    return links[int(name.removeprefix("top"))]["top"] if name.startswith("top") else "bit"


def _wider(one: Kind | None, other: Kind | None) -> Kind | None:
    return widest((one, other)) if one and other else one or other
