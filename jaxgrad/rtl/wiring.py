"""A PE's circuits as SystemVerilog expressions: what each slot puts on shared units and into registers."""

from __future__ import annotations

from typing import NamedTuple

from jaxgrad.array.passes.circuit import Node, gates
from jaxgrad.base.errors import InputError
from jaxgrad.rtl.datapath import Datapath
from jaxgrad.rtl.pe import CARRIED, Circuit, Kind, Pe, kinds_of


class Unit(NamedTuple):
    """A multiplier or an adder that all slots share.

    Args:
        kind: ``multiply`` or ``add``.
        left, right, out: its wires.
        carries: what its inputs carry.
    """

    kind: str
    left: str
    right: str
    out: str
    carries: Kind


class Driven(NamedTuple):
    """A wire and what drives it: one expression a slot, one alone where all slots have the same."""

    wire: str
    by_slot: tuple[str, ...]

    @property
    def is_common(self) -> bool:
        return len(set(self.by_slot)) == 1


class Wiring(NamedTuple):
    """All that is inside a PE.

    Args:
        units: multipliers and adders.
        driven: the inputs of units, the next values of registers (``acc_d``), ``h_out_d`` and ``v_out_d``.
        chains: what each slot's chain hands down.
        flags: which of ``first`` and ``last`` it looks at.
        narrowed: links of which some slot takes the operand alone.
    """

    units: tuple[Unit, ...]
    driven: tuple[Driven, ...]
    chains: dict[int, str]
    flags: tuple[str, ...]
    narrowed: tuple[str, ...]

    @property
    def common(self) -> list[Driven]:
        return [driven for driven in self.driven if driven.is_common]

    @property
    def chosen(self) -> list[Driven]:
        return [driven for driven in self.driven if not driven.is_common]


_WIRES = {"multiply": ("multiplicand", "multiplier", "product"), "add": ("addend", "augend", "sum")}


def wire(pe: Pe, datapath: Datapath) -> Wiring:
    """Raises InputError where a format lacks a gate."""
    slots = [_Slot(circuit, pe, slot, datapath) for slot, circuit in enumerate(pe.circuits)]
    units = []
    for kind in _WIRES:
        for number in range(max(len(slot.used[kind]) for slot in slots)):
            carries: Kind = "operand" if kind == "multiply" else "sum"
            left, right, out = (_numbered(name, number) for name in _WIRES[kind])
            units.append(Unit(kind, left, right, out, carries))
    driven = [
        Driven(wire, tuple(slot.inputs.get(wire, slots[0].inputs.get(wire, "'0")) for slot in slots))
        for unit in units
        for wire in (unit.left, unit.right)
    ]
    driven += [
        Driven(f"{name}_d", tuple(slot.text(slot.circuit.registers[name], pe.kinds[name]) for slot in slots))
        for name in pe.circuits[0].registers
    ]
    for link in ("h", "v"):
        kind = pe.kinds[f"{link}_in"]
        driven.append(Driven(f"{link}_out_d", tuple(slot.text(slot.link(link), kind) for slot in slots)))
    nodes = {node for circuit in pe.circuits for node in gates(circuit.roots())}
    flags = tuple(name for name in ("first", "last") if Node("input", (), name) in nodes)
    narrowed = tuple(dict.fromkeys(name for slot in slots for name in slot.narrowed))
    chains = {number: slots[0].text(node, None) for number, node in pe.circuits[0].chains.items()}
    return Wiring(tuple(units), tuple(driven), chains, flags, narrowed)


def _numbered(wire: str, number: int) -> str:
    """A wire of a unit: of the first of its kind by its name alone."""
    return f"{wire}{number + 1}" if number else wire


class _Slot:
    """The texts of one slot's circuit."""

    def __init__(self, circuit: Circuit, pe: Pe, slot: int, datapath: Datapath) -> None:
        kept = pe.keeps[slot]
        self.circuit, self.datapath = circuit, datapath
        self.kinds = kinds_of(circuit, pe.kinds, pe.keeps, kept)
        self.links = {link: (CARRIED[kept][link], pe.kinds[link]) for link in CARRIED[kept]}
        self.narrowed: list[str] = []
        nodes = list(gates(circuit.roots()))
        self.used = {
            "multiply": [node for node in nodes if node.gate == "mul"],
            "add": [node for node in nodes if node.gate in ("add", "sub")],
        }
        passing = Node("input", (), "v_in" if kept == "nothing" else "h_in")
        self.inputs: dict[str, str] = {}
        for kind, (left, right, _) in _WIRES.items():
            for number, node in enumerate(self.used[kind]):
                one, other = node.of
                # What passes is the multiplier, a product what is added: so slots differ in as few wires as can be.
                if node.gate != "sub" and (one == passing if kind == "multiply" else one.gate == "mul"):
                    one, other = other, one
                wanted: Kind = "operand" if kind == "multiply" else "sum"
                self.inputs[_numbered(left, number)] = self.text(one, wanted)
                text = self.text(other, wanted)
                self.inputs[_numbered(right, number)] = self.negative(text) if node.gate == "sub" else text

    def link(self, name: str) -> Node:
        return self.circuit.h_out if name == "h" else self.circuit.v_out

    def negative(self, text: str) -> str:
        sign = self.datapath.sum_bits - 1
        return f"{{~{text}[{sign}], {text}[{sign - 1}:0]}}" if self.datapath.is_float else f"-{text}"

    def text(self, node: Node, wanted: Kind | None) -> str:
        """A node's expression, as wide as is wanted; as it is where nothing is."""
        kind = self.kinds[node]
        if node.gate == "input" and node.value in self.links and self.links[node.value][1] == wanted:
            return node.value  # passed on as it came
        text = self._text(node, wanted if kind is None else kind)
        return self.datapath.widened(text) if (kind, wanted) == ("operand", "sum") else text

    def _text(self, node: Node, wanted: Kind | None) -> str:
        if node.gate == "input":
            carried, width = self.links.get(node.value, (None, None))
            if carried == "operand" and width == "sum":
                self.narrowed.append(node.value)
                return f"{node.value.removesuffix('_in')}_operand"
            return node.value
        if node.gate == "constant":
            return f"1'b{int(node.value)}" if isinstance(node.value, bool) else self._number(node.value)
        if node.gate == "select":
            condition, true, false = node.of
            return f"({self.text(condition, 'bit')} ? {self.text(true, wanted)} : {self.text(false, wanted)})"
        for kind, (_, _, out) in _WIRES.items():
            if node in self.used[kind]:
                return _numbered(out, self.used[kind].index(node))
        signs = {"and": "&", "or": "|", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
        if node.gate == "neg":
            return self.negative(self.text(node.of[0], "sum"))
        if node.gate == "not":
            return f"!{self.text(node.of[0], 'bit')}"
        if node.gate not in ("and", "or") and self.datapath.is_float:
            raise InputError(
                "format", self.datapath.name, "give an integer format", problem="got a pass that compares floats"
            )
        one, other = (self.text(part, None) for part in node.of)
        return f"({one} {signs[node.gate]} {other})"

    def _number(self, value: float) -> str:
        if value:
            raise InputError(
                "dataflow", value, "a PE knows no number but 0", problem=f"got the constant {value} in a pass"
            )
        return "'0"
