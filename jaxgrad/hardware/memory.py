"""The memories behind the array: a scratchpad (SRAM), levels around it, and DRAM behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Switch, among, checked, described
from jaxgrad.hardware.level import Level, check_levels
from jaxgrad.hardware.rates import MOST_RATE, Bytes, Kib, in_thousandths, size_bytes, size_kib, table_in_bytes

IM2COL: tuple[str, ...] = ("on_chip", "dram")


def _whole_or_divided(field: str, value: Any) -> int | PerOperand:
    return value if isinstance(value, PerOperand) else size_bytes(field, value)


def _list(field: str, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise InputError(field, value, "give a list of levels, from the scratchpad outwards")
    return value


@described(within="sram_bytes")
class PerOperand:
    """Sizes of the parts of a divided scratchpad, in bytes (in a file in KiB).

    Args:
        x, w, dy, dw: of the part that holds the tensor.
        dx: likewise, and y is held there too: both are sums that leave the array.

    Raises:
        InputError: a size is not a whole number from 1 to ``MOST_BYTES``.
    """

    x: Bytes
    w: Bytes
    dy: Bytes
    dx: Bytes
    dw: Bytes

    def of(self, tensor: str) -> int:
        return self.dx if tensor == "y" else getattr(self, tensor)


@described()
class Memory:
    """The memories of each core, from the array outwards: a scratchpad (SRAM), any number of levels, DRAM.

    Args:
        sram_bytes: size of the scratchpad in bytes: one number where all tensors share it, else ``PerOperand``. In a
            file ``sram_kib``, in KiB: a number, or a table of the parts.
        dram_gb_per_s: what DRAM delivers and takes together, in 10^9 bytes a second (whole MB/s).
        clock_ghz: the array's clock (whole MHz).
        double_buffered: whether half of the scratchpad fills while the array works from the other half. If not, the
            array waits for each transfer.
        im2col: where a convolution's overlapping patches are laid out: ``on_chip``, as the array reads them, so that
            memories hold the feature map itself; or in ``dram``, which then moves the whole patch matrix.
        levels: the memories between scratchpad and DRAM, from the scratchpad outwards; in a file ``[[memory.levels]]``.

    Raises:
        InputError: a size or a rate will not do, or the levels do not go together.

    >>> Memory(4 << 20, dram_gb_per_s=100).cycles_per_byte
    Fraction(1, 100)
    >>> Memory(1 << 20, dram_gb_per_s=100, levels=(Level("buffer", 8 << 20, gb_per_s=400),)).levels[0].name
    'buffer'
    """

    sram_bytes: Annotated[int | PerOperand, checked(_whole_or_divided, Kib | PerOperand), Field(title="sram_kib")]
    dram_gb_per_s: Annotated[float, Field(gt=0, le=MOST_RATE), in_thousandths("MB/s")]
    clock_ghz: Annotated[float, Field(gt=0, le=MOST_RATE), in_thousandths("MHz")] = 1.0
    double_buffered: Switch = True
    im2col: Annotated[str, among(IM2COL)] = "on_chip"
    levels: Annotated[tuple[Level, ...], checked(_list)] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, source: Any) -> Any:
        return table_in_bytes(source, "sram", _from_kib)

    @model_validator(mode="after")
    def _grow(self) -> Memory:
        check_levels(self.levels, self.total_bytes)
        return self

    @property
    def total_bytes(self) -> int:
        """Size of the scratchpad."""
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


def _from_kib(value: Any) -> int | PerOperand:
    """A file's ``sram_kib`` in bytes."""
    if not isinstance(value, Mapping):
        return 1024 * size_kib("sram_kib", value)
    names = [part.name for part in fields(PerOperand)]
    if set(value) != set(names):
        raise InputError("sram_kib", sorted(value), f"give all of {', '.join(names)}")
    sizes = (size_kib(f"sram_kib.{name}", value[name]) for name in names)
    return PerOperand(*(1024 * size for size in sizes))
