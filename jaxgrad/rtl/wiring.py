"""A PE's circuits as SystemVerilog expressions: what each slot puts on shared units and into registers."""

from __future__ import annotations

from typing import NamedTuple

from jaxgrad.array.passes.circuit import Node, gates
from jaxgrad.base.errors import InputError
from jaxgrad.rtl.datapath import Datapath
from jaxgrad.rtl.pe import Circuit, Kind, Pe, kinds_of, widest


class Unit(NamedTuple):
    """A multiplier or an adder that all slots share.

    Args:
        kind: ``multiply`` or ``add``.
        left, right, out: its wires.
        left_kind, right_kind: what its inputs carry, the widest of all slots.
    """

    kind: str
    left: str
    right: str
    out: str
    left_kind: Kind
    right_kind: Kind


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
        narrowed: links of which some slot takes the operand alone, by the wires that have it, with its kind.
    """

    units: tuple[Unit, ...]
    driven: tuple[Driven, ...]
    chains: dict[int, str]
    flags: tuple[str, ...]
    narrowed: dict[str, tuple[str, Kind]]

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
            left, right, out = (_numbered(name, number) for name in _WIRES[kind])
            left_kind = widest(slot.kind_into(left) for slot in slots)
            right_kind = widest(slot.kind_into(right) for slot in slots)
            units.append(Unit(kind, left, right, out, left_kind, right_kind))
    driven = [
        Driven(wire, tuple(slot.into(wire, wanted) or slots[0].into(wire, wanted) or "'0" for slot in slots))
        for unit in units
        for wire, wanted in ((unit.left, unit.left_kind), (unit.right, unit.right_kind))
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
    narrowed = {name: link for slot in slots for name, link in slot.narrowed.items()}
    chains = {number: slots[0].text(node, None) for number, node in pe.circuits[0].chains.items()}
    return Wiring(tuple(units), tuple(driven), chains, flags, narrowed)


def _numbered(wire: str, number: int) -> str:
    """A wire of a unit: of the first of its kind by its name alone."""
    return f"{wire}{number + 1}" if number else wire


class _Slot:
    """The texts of one slot's circuit."""

    def __init__(self, circuit: Circuit, pe: Pe, slot: int, datapath: Datapath) -> None:
        self.circuit, self.datapath = circuit, datapath
        self.kinds = kinds_of(circuit, pe.kinds, pe.links, slot)
        self.links: dict[str, tuple[Kind, Kind]] = {
            link: (pe.links[slot][link], pe.kinds[link]) for link in ("h_in", "v_in")
        }
        self.narrowed: dict[str, tuple[str, Kind]] = {}
        nodes = list(gates(circuit.roots()))
        self.used = {
            "multiply": [node for node in nodes if node.gate == "mul"],
            "add": [node for node in nodes if node.gate in ("add", "sub")],
        }
        passing = Node("input", (), "v_in" if pe.keeps[slot] == "nothing" else "h_in")
        self.inputs: dict[str, tuple[Node, Kind, bool]] = {}
        for kind, (left, right, _) in _WIRES.items():
            for number, node in enumerate(self.used[kind]):
                one, other = node.of
                # What passes is the multiplier, a product what is added: so slots differ in as few wires as can be.
                if node.gate != "sub" and (one == passing if kind == "multiply" else one.gate == "mul"):
                    one, other = other, one
                for wire, part in ((left, one), (right, other)):
                    wanted: Kind = (self.kinds[part] or "operand") if kind == "multiply" else "sum"
                    self.inputs[_numbered(wire, number)] = part, wanted, node.gate == "sub" and part is other

    def kind_into(self, wire: str) -> Kind:
        """What it puts on the input of a unit; the narrowest where it does not use the unit."""
        return self.inputs[wire][1] if wire in self.inputs else "bit"

    def into(self, wire: str, wanted: Kind) -> str:
        """What it puts on the input of a unit, as wide as that is; nothing where it does not use the unit."""
        if wire not in self.inputs:
            return ""
        node, _, negated = self.inputs[wire]
        text = self.text(node, wanted)
        return self.negative(text) if negated else text

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
        if node.gate == "select" or kind is None or wanted is None or "bit" in (kind, wanted):
            return self._text(node, wanted or kind)
        return self.datapath.converted(self._text(node, kind), kind, wanted)

    def _text(self, node: Node, wanted: Kind | None) -> str:
        if node.gate == "input":
            if node.value not in self.links or len(set(self.links[node.value])) == 1:
                return node.value
            carried, _ = self.links[node.value]
            name = f"{node.value.removesuffix('_in')}_{carried}"
            self.narrowed[name] = node.value, carried
            return name
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
