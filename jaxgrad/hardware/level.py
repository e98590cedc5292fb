"""A memory between the scratchpad and DRAM, such as a buffer that several cores share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, one_of, whole_number
from jaxgrad.base.schema import AtLeastZero, Size, Switch, among, checked, described
from jaxgrad.hardware.energy_table import ACTIONS
from jaxgrad.hardware.rates import MOST_RATE, Bytes, in_thousandths, size_kib, table_in_bytes

KEPT: tuple[str, ...] = ("x", "w", "y", "dy", "dx", "dw")
"""Tensors that a level may keep; the partial sums of a result are kept with it."""

_TAKEN = ("array", "pe", *ACTIONS)  # names that counts and energies have already
_MOST_BITS = 1 << 20  # of a width
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _name(field: str, value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InputError(field, value, "give a name of small letters, digits and _, such as buffer")
    if value in _TAKEN:
        raise InputError(field, value, f"choose another name: {', '.join(_TAKEN)} are taken")
    return value


def _tensors(field: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise InputError(field, value, f"give a list of some of {', '.join(KEPT)}")
    names = [one_of(field, name, KEPT) for name in value]
    return tuple(name for name in KEPT if name in names)


def _width(field: str, value: Any) -> int:
    bits = whole_number(field, value, most=_MOST_BITS)
    if bits % 8:
        raise InputError(field, bits, "give a multiple of 8")
    return bits


@described()
class Level:
    """A memory between the scratchpad and DRAM.

    A level that has a width is read and written in accesses of so many bits: each row of a block (a run along its
    tensor's last axis) takes whole ones, which cost energy and time though part of the last may go unused. One without
    moves single words.

    Args:
        name: what its counts, energies and stalls are called by.
        size_bytes: of the whole level. In a file ``size_kib``, in KiB.
        gb_per_s: what it delivers to the memories inside it and takes from them together, in 10^9 bytes a second (whole
            MB/s); by default an access of each port a clock cycle, which takes a width.
        keeps: the tensors that stop here on their way, some of ``KEPT``; others pass by.
        double_buffered: whether half of it fills while the memories inside it work on the other half. If not, they wait
            for each of its transfers.
        shared_by: cores that share it, each by an equal part of its size and of its bandwidth.
        pj_per_bit: energy of an access; by default that of an SRAM of its size, from the technology.
        width_bits: of an access, whole bytes.
        ports: accesses in a clock cycle, where ``gb_per_s`` does not say what it moves.

    Raises:
        InputError: a name is taken, a size or a rate will not do, or a tensor is none; or there is neither a rate nor a
            width, or more than one port beside a rate.

    >>> Level("buffer", 8 << 20, gb_per_s=256, shared_by=4).share_bytes
    2097152
    >>> Level("buffer", 8 << 20, width_bits=512, ports=2).rate_gb_per_s(clock_ghz=0.5)
    64.0
    """

    name: Annotated[str, Field(pattern=f"^{_NAME.pattern}$"), checked(_name)]
    size_bytes: Annotated[Bytes, Field(title="size_kib")]
    gb_per_s: Annotated[float, Field(gt=0, le=MOST_RATE), in_thousandths("MB/s")] | None = None
    keeps: Annotated[tuple[Annotated[str, among(KEPT)], ...], checked(_tensors)] = KEPT
    double_buffered: Switch = True
    shared_by: Size = 1
    pj_per_bit: AtLeastZero | None = None
    width_bits: Annotated[int, Field(gt=0, le=_MOST_BITS, multiple_of=8), checked(_width)] | None = None
    ports: Size = 1

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, source: Any) -> Any:
        if isinstance(source, Mapping) and "gb_per_s" not in source and "width_bits" not in source:
            raise InputError("gb_per_s", None, "give one, or width_bits", problem="got none")
        return table_in_bytes(source, "size", lambda value: 1024 * size_kib("size_kib", value))

    @model_validator(mode="after")
    def _moves(self) -> Level:
        if self.gb_per_s is None and self.width_bits is None:
            raise InputError("gb_per_s", None, "give a number above 0, or width_bits")
        if self.gb_per_s is not None and self.ports > 1:
            raise InputError("ports", self.ports, "leave it out: gb_per_s is what all of them move")
        return self

    @property
    def share_bytes(self) -> int:
        """What each core has of it."""
        return self.size_bytes // self.shared_by

    @property
    def width_bytes(self) -> int:
        """Of an access; 0 where it has no width."""
        return (self.width_bits or 0) // 8

    def rate_gb_per_s(self, clock_ghz: float) -> float:
        """What the whole level moves, in 10^9 bytes a second."""
        return self.width_bytes * self.ports * clock_ghz if self.gb_per_s is None else self.gb_per_s

    def cycles_per_byte(self, clock_ghz: float) -> Fraction:
        """Clock cycles in which a core's share of it moves one byte, exact."""
        if self.gb_per_s is None:
            return Fraction(self.shared_by, self.width_bytes * self.ports)
        return Fraction(round(clock_ghz * 1000) * self.shared_by, round(self.gb_per_s * 1000))


def check_levels(levels: tuple[Level, ...], scratchpad_bytes: int) -> None:
    """Refuses levels, from the scratchpad outwards, that do not go together.

    Raises:
        InputError: two have one name, or one is smaller than what is inside it.
    """
    names = [level.name for level in levels]
    inside, inside_bytes = "sram", scratchpad_bytes
    for index, level in enumerate(levels):
        if level.name in names[:index]:
            raise InputError("levels", level.name, "give each a name of its own", problem=f"got two {level.name!r}")
        if level.share_bytes < inside_bytes:
            raise InputError(
                "levels",
                level.size_bytes,
                "order levels from the scratchpad outwards, none smaller than the one before",
                problem=f"got {level.share_bytes} bytes of {level.name!r} a core around {inside_bytes} of {inside!r}",
            )
        inside, inside_bytes = level.name, level.share_bytes
