"""Number formats, and which operand is held in which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

from pydantic import model_validator
from pydantic_core import ArgsKwargs

from jaxgrad.base.arithmetic import ceil_div
from jaxgrad.base.errors import InputError, one_of
from jaxgrad.base.schema import among, described

TENSORS: tuple[str, ...] = ("x", "w", "y", "dy", "dx", "dw", "psum")
"""Everything that moves between memories; ``psum`` stands for partial sums of whatever."""


@dataclass(frozen=True)
class Format:
    """How numbers are stored.

    Args:
        name: as users write it.
        bits: bits of one number.
        shared_bits: bits that ``block`` numbers share (the exponent of a block format).
        block: numbers that share them.
    """

    name: str
    bits: int
    shared_bits: int = 0
    block: int = 1

    @property
    def block_bits(self) -> int:
        """Bits of ``block`` numbers."""
        return self.bits * self.block + self.shared_bits

    @property
    def bits_per_word(self) -> float:
        return self.block_bits / self.block


# int1 is -1 or 1 as a weight and 0 or 1 as an activation, ternary -1, 0 or 1: no multiplier is needed for either.
# Block formats: Open Compute Project, Microscaling Formats (MX) 1.0: 32 numbers share an exponent of 8 bits.
FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("fp32", 32),
        Format("bf16", 16),
        Format("fp16", 16),
        Format("int32", 32),
        Format("int16", 16),
        Format("int8", 8),
        Format("int4", 4),
        Format("int2", 2),
        Format("ternary", 2),
        Format("int1", 1),
        Format("mxfp8", 8, 8, 32),
        Format("mxint8", 8, 8, 32),
        Format("mxfp6", 6, 8, 32),
        Format("mxfp4", 4, 8, 32),
    )
}
Pair = tuple[str, str]
"""The formats of a product's operands, the wider one first."""
PRODUCTS: tuple[str, ...] = ("forward", "dx", "dw")
FormatName = Annotated[str, among(tuple(FORMATS))]


@described()
class Precision:
    """The format of each tensor. ``accumulator`` is that of the sums in the PEs and of partial sums anywhere.

    Args:
        x, w, dy: formats of the activations (y is the next layer's x), the weights and the cotangents (dx too).
        dw: format of the weight gradients.
        accumulator: format of the sums.

    Raises:
        InputError: a name is not one of ``FORMATS``.

    >>> Precision.of("bf16").accumulator
    'fp32'
    """

    x: FormatName = "fp32"
    w: FormatName = "fp32"
    dy: FormatName = "fp32"
    dw: FormatName = "fp32"
    accumulator: FormatName = "fp32"

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, value: Any) -> Any:
        """A file may have the name of one format for all operands, or some fields."""
        if isinstance(value, ArgsKwargs):
            return value  # Python's arguments
        if not isinstance(value, Mapping):
            return asdict(cls.of(one_of("", value, tuple(FORMATS))))
        names = [field.name for field in fields(cls)]
        if not set(value) <= set(names):
            raise InputError("", sorted(value), f"give some of {', '.join(names)}")
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "enum": list(FORMATS)}, handler(schema)]}

    @classmethod
    def of(cls, operands: str) -> Precision:
        """All operands in one format; sums in fp32, or int32 for integers; weight gradients in the sums' format."""
        accumulator = "int32" if operands.startswith(("int", "ternary")) else "fp32"
        return cls(operands, operands, operands, accumulator, accumulator)

    def format(self, tensor: str) -> Format:
        """The format of one of ``TENSORS``."""
        field = {"y": "x", "dx": "dy", "psum": "accumulator"}.get(tensor, tensor)
        return FORMATS[getattr(self, field)]

    def bytes(self, tensor: str, words: Any) -> Any:
        """Bytes that so many words of a tensor take, rounded up; numbers of whatever kind ``words`` is."""
        stored = self.format(tensor)
        whole, rest = divmod(stored.block_bits, 8 * stored.block)
        return ceil_div(words * stored.block_bits, 8 * stored.block) if rest else words * whole

    @property
    def multiplier(self) -> str:
        """The widest of the operands' formats: a datapath of it multiplies them all."""
        return max((self.x, self.w, self.dy), key=_width)

    def pair(self, product: str) -> Pair:
        """What one of ``PRODUCTS`` multiplies: x and w, dY and w, or x and dY.

        >>> Precision(x="int4", w="int1", dy="bf16").pair("dx")
        ('bf16', 'int1')
        """
        operands = {"forward": (self.x, self.w), "dx": (self.dy, self.w), "dw": (self.x, self.dy)}[product]
        return paired(*operands)

    @property
    def datapath(self) -> Pair:
        """The widest of the three products' pairs: what a PE that computes all of them multiplies."""
        return max(map(self.pair, PRODUCTS), key=lambda pair: [*map(_width, pair)])


def paired(first: str, second: str) -> Pair:
    """Two formats, the wider one first.

    >>> paired("int1", "bf16")
    ('bf16', 'int1')
    """
    return max(first, second, key=_width), min(first, second, key=_width)


def joined(pair: Pair) -> str:
    """A pair's name in technologies.

    >>> joined(("bf16", "int1")), joined(("int8", "int8"))
    ('bf16_int1', 'int8')
    """
    return "_".join(dict.fromkeys(pair))


def _width(name: str) -> tuple[int, str]:
    return FORMATS[name].bits, name
