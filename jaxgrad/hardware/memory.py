"""The memories behind the array: a scratchpad (SRAM), and DRAM behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, number, whole_number
from jaxgrad.base.schema import Switch, among, checked, described

IM2COL: tuple[str, ...] = ("on_chip", "dram")
MOST_BYTES = 1 << 50
"""Of an SRAM: well beyond any, and its counts stay far from 64 bits."""

_MOST_RATE = 1e9  # GB/s or GHz


def _size(field: str, value: Any) -> int:
    return whole_number(field, value, most=MOST_BYTES)


def _whole_or_divided(field: str, value: Any) -> int | PerOperand:
    return value if isinstance(value, PerOperand) else _size(field, value)


def _in_thousandths(unit: str) -> Any:
    """A rule for rates that are whole numbers of a thousandth of their unit, so that quotients of them are exact."""

    def rule(field: str, value: Any) -> float:
        rate = number(field, value, above=True)
        if rate > _MOST_RATE:
            raise InputError(field, rate, f"give a number of at most {_MOST_RATE:g}")
        if round(rate * 1000) < 1 or abs(rate * 1000 - round(rate * 1000)) > 1e-6:
            raise InputError(field, rate, f"give a whole number of {unit}, as in {rate:.3f}")
        return rate

    return checked(rule)


def _kib(field: str, value: Any) -> int:
    return whole_number(field, value, most=MOST_BYTES // 1024)


Bytes = Annotated[int, checked(_size)]
Kib = Annotated[int, checked(_kib)]
"""The size of an SRAM as files have it."""


@described(within="sram_bytes")
class PerOperand:
    """Sizes in bytes of the parts of a divided scratchpad; y is held in ``dx``, the part of the other row of sums.

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
    """SRAM and DRAM of an accelerator.

    Args:
        sram_bytes: size of the scratchpad in bytes: one number where all tensors share it, else ``PerOperand``. In a
            file ``sram_kib``, in KiB: a number, or a table of the parts.
        dram_gb_per_s: what DRAM delivers and takes together, in 10^9 bytes a second (whole MB/s).
        clock_ghz: the array's clock (whole MHz).
        double_buffered: whether half of the scratchpad fills while the array works from the other half. If not, the
            array waits for each transfer.
        im2col: where a convolution's overlapping patches are laid out: ``on_chip``, as the array reads them, so that
            DRAM and scratchpad hold the feature map itself; or in ``dram``, which then moves the whole patch matrix.

    Raises:
        InputError: a size or a rate will not do.

    >>> Memory(4 << 20, dram_gb_per_s=100).cycles_per_byte
    Fraction(1, 100)
    """

    sram_bytes: Annotated[int | PerOperand, checked(_whole_or_divided), Field(title="sram_kib")]
    dram_gb_per_s: Annotated[float, _in_thousandths("MB/s")]
    clock_ghz: Annotated[float, _in_thousandths("MHz")] = 1.0
    double_buffered: Switch = True
    im2col: Annotated[str, among(IM2COL)] = "on_chip"

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given  # Python's arguments
        if "sram_kib" not in given or "sram_bytes" in given:
            raise InputError("sram_kib", None, "give one", problem="got none")
        rest = {key: value for key, value in given.items() if key != "sram_kib"}
        return rest | {"sram_bytes": _from_kib(given["sram_kib"])}

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


def _from_kib(value: Any) -> int | PerOperand:
    """A file's ``sram_kib`` in bytes."""
    if not isinstance(value, Mapping):
        return 1024 * _kib("sram_kib", value)
    names = [part.name for part in fields(PerOperand)]
    if set(value) != set(names):
        raise InputError("sram_kib", sorted(value), f"give all of {', '.join(names)}")
    sizes = (_kib(f"sram_kib.{name}", value[name]) for name in names)
    return PerOperand(*(1024 * size for size in sizes))
