"""The memories behind the array: a scratchpad (SRAM), and DRAM behind it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

from jaxgrad.base.errors import InputError, boolean, number, one_of, whole_number

IM2COL: tuple[str, ...] = ("on_chip", "dram")
MOST_BYTES = 1 << 50
"""Of an SRAM: well beyond any, and its counts stay far from 64 bits."""

_MOST_RATE = 1e9  # GB/s or GHz


@dataclass(frozen=True)
class PerOperand:
    """Sizes in bytes of the parts of a divided scratchpad; y is held in ``dx``, the part of the other row of sums.

    Raises:
        InputError: a size is not a whole number from 1 to ``MOST_BYTES``.
    """

    x: int
    w: int
    dy: int
    dx: int
    dw: int

    def __post_init__(self) -> None:
        for part in fields(self):
            size = whole_number(f"sram_bytes.{part.name}", getattr(self, part.name), most=MOST_BYTES)
            object.__setattr__(self, part.name, size)

    def of(self, tensor: str) -> int:
        return self.dx if tensor == "y" else getattr(self, tensor)


@dataclass(frozen=True)
class Memory:
    """SRAM and DRAM of an accelerator.

    Args:
        sram_bytes: size of the scratchpad in bytes: one number where all tensors share it, else ``PerOperand``.
        dram_gb_per_s: what DRAM delivers and takes together, in 10^9 bytes a second (whole MB/s).
        clock_ghz: the array's clock (whole MHz).
        double_buffered: whether half of the scratchpad fills while the array works from the other half. If not, the
            array waits for each transfer.
        im2col: where a convolution's overlapping patches are laid out: ``on_chip``, as the array reads them, so that
            DRAM and scratchpad hold the feature map itself; or in ``dram``, which then moves the whole patch matrix.

    Raises:
        ValueError: a size or a rate will not do.
    """

    sram_bytes: int | PerOperand
    dram_gb_per_s: float
    clock_ghz: float = 1.0
    double_buffered: bool = True
    im2col: str = "on_chip"

    def __post_init__(self) -> None:
        if not isinstance(self.sram_bytes, PerOperand):
            object.__setattr__(self, "sram_bytes", whole_number("sram_bytes", self.sram_bytes, most=MOST_BYTES))
        for name, unit in (("dram_gb_per_s", "MB/s"), ("clock_ghz", "MHz")):
            value = number(name, getattr(self, name), above=True)
            if value > _MOST_RATE:
                raise InputError(name, value, f"give a number of at most {_MOST_RATE:g}")
            if round(value * 1000) < 1 or abs(value * 1000 - round(value * 1000)) > 1e-6:
                raise InputError(name, value, f"give a whole number of {unit}, as in {value:.3f}")
            object.__setattr__(self, name, value)
        boolean("double_buffered", self.double_buffered)
        one_of("im2col", self.im2col, IM2COL)

    @property
    def total_bytes(self) -> int:
        size = self.sram_bytes
        return size if isinstance(size, int) else sum(getattr(size, part.name) for part in fields(size))

    def part_bytes(self, tensor: str) -> int:
        """Size of the SRAM that holds a tensor; partial sums are those of dX or dW, in the larger part."""
        if isinstance(self.sram_bytes, int):
            return self.sram_bytes
        return max(self.sram_bytes.dx, self.sram_bytes.dw) if tensor == "psum" else self.sram_bytes.of(tensor)

    @property
    def cycles_per_byte(self) -> Fraction:
        """Clock cycles in which DRAM moves one byte, exact."""
        return Fraction(round(self.clock_ghz * 1000), round(self.dram_gb_per_s * 1000))
