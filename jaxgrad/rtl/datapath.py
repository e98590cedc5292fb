"""Number formats as wires: how wide operands and sums are, and what multiplies and adds them."""

from __future__ import annotations

from dataclasses import dataclass

from jaxgrad.base.errors import one_of
from jaxgrad.rtl.pe import Kind


@dataclass(frozen=True)
class Datapath:
    """A number format of operands, with that of their sums.

    Args:
        name: of ``hardware.precision.FORMATS``.
        operand_bits, sum_bits: of a word.
        is_float: whether words are floats, of which an operand is the upper half of a sum; else two's complement.
    """

    name: str
    operand_bits: int
    sum_bits: int
    is_float: bool = False

    def bits(self, kind: Kind) -> int:
        return {"operand": self.operand_bits, "sum": self.sum_bits, "bit": 1}[kind]

    def declared(self, kind: Kind) -> str:
        """The type of a wire or register."""
        sign = "" if self.is_float or kind == "bit" else " signed"
        return f"logic{sign} [{self.bits(kind) - 1}:0]" if kind != "bit" else "logic"

    def narrowed(self, wire: str) -> str:
        """The operand that a wire as wide as a sum carries."""
        high = self.sum_bits - 1
        return (
            f"{wire}[{high}:{high - self.operand_bits + 1}]" if self.is_float else f"{wire}[{self.operand_bits - 1}:0]"
        )

    def widened(self, wire: str) -> str:
        """An operand as a word as wide as a sum."""
        more = self.sum_bits - self.operand_bits
        return (
            f"{{{wire}, {more}'d0}}" if self.is_float else f"{{{{{more}{{{wire}[{self.operand_bits - 1}]}}}}, {wire}}}"
        )


DATAPATHS: dict[str, Datapath] = {
    entry.name: entry
    for entry in (
        Datapath("int8", 8, 32),
        Datapath("int4", 4, 32),
        Datapath("bf16", 16, 32, is_float=True),
    )
}


def datapath(name: str) -> Datapath:
    """A format's datapath.

    Raises:
        InputError: there is none.
    """
    return DATAPATHS[one_of("format", name, tuple(DATAPATHS))]
