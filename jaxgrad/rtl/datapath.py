"""Number formats as wires: how wide operands and sums are, and how a word of one width is written in another.

A weight of one bit is -1 or 1 (``hardware.precision``), and its bit is the sign: 0 for 1. It has no zero, and needs
none: where lanes are padding or nothing streams, the other operand is zero, or the product is not looked at.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from jaxgrad.base.errors import one_of
from jaxgrad.rtl.pe import Kind


@dataclass(frozen=True)
class Datapath:
    """A number format of operands, with that of their sums.

    Args:
        operands: their format, one of ``hardware.precision.FORMATS``.
        operand_bits, sum_bits: of a word.
        is_float: whether words are floats, of which an operand is the upper half of a sum; else two's complement.
        weights: the format of weights, where these are narrower; else None.
        narrow_weight_bits: of such a weight.
    """

    operands: str
    operand_bits: int
    sum_bits: int
    is_float: bool = False
    weights: str | None = None
    narrow_weight_bits: int | None = None

    @property
    def name(self) -> str:
        """The format's, or the two as technologies join them."""
        return f"{self.operands}_{self.weights}" if self.weights else self.operands

    def bits(self, kind: Kind) -> int:
        weight_bits = self.narrow_weight_bits or self.operand_bits
        return {"bit": 1, "weight": weight_bits, "operand": self.operand_bits, "sum": self.sum_bits}[kind]

    def kind_of(self, tensors: Set[str]) -> Kind:
        """What a wire carries that carries these operands."""
        return "weight" if self.narrow_weight_bits and tensors == {"w"} else "operand"

    def is_sign(self, kind: Kind) -> bool:
        """Whether words are -1 or 1, and so a sign alone."""
        return kind == "weight" and self.bits(kind) == 1

    def declared(self, kind: Kind) -> str:
        """The type of a wire or register."""
        sign = "" if self.is_float or kind == "bit" or self.is_sign(kind) else " signed"
        return f"logic{sign} [{self.bits(kind) - 1}:0]" if kind != "bit" else "logic"

    def converted(self, wire: str, kind: Kind, wanted: Kind) -> str:
        """The number on a wire of one kind as a word of another; a narrower one can hold it.

        >>> datapath("int8").converted("x", "operand", "sum"), datapath("int4_int1").converted("w", "weight", "operand")
        ('{{24{x[7]}}, x}', "{{3{w}}, 1'b1}")
        """
        have, want = self.bits(kind), self.bits(wanted)
        if kind == wanted:
            return wire
        if self.is_float:
            return f"{wire}[{have - 1}:{have - want}]" if want < have else f"{{{wire}, {want - have}'d0}}"
        if want < have:
            return f"{wire}[1:1]" if self.is_sign(wanted) else f"{wire}[{want - 1}:0]"
        if self.is_sign(kind):
            return f"{{{{{want - 1}{{{wire}}}}}, 1'b1}}"
        return f"{{{{{want - have}{{{wire}[{have - 1}]}}}}, {wire}}}"


DATAPATHS: dict[str, Datapath] = {
    entry.name: entry
    for entry in (
        Datapath("int8", 8, 32),
        Datapath("int4", 4, 32),
        Datapath("int4", 4, 32, weights="int2", narrow_weight_bits=2),
        Datapath("int4", 4, 32, weights="int1", narrow_weight_bits=1),
        Datapath("bf16", 16, 32, is_float=True),
    )
}


def datapath(name: str) -> Datapath:
    """A format's datapath.

    Raises:
        InputError: there is none.
    """
    return DATAPATHS[one_of("format", name, tuple(DATAPATHS))]
