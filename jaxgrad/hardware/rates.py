"""Sizes and rates of memories: whole bytes, and rates whose quotients are exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from jaxgrad.base.errors import InputError, number, whole_number
from jaxgrad.base.schema import checked

MOST_BYTES = 1 << 50
"""Of an SRAM: well beyond any, and its counts stay far from 64 bits."""

MOST_RATE = 1e9  # GB/s or GHz


def size_bytes(field: str, value: Any) -> int:
    return whole_number(field, value, most=MOST_BYTES)


def size_kib(field: str, value: Any) -> int:
    return whole_number(field, value, most=MOST_BYTES // 1024)


def table_in_bytes(table: Any, part: str, in_bytes: Callable[[Any], Any]) -> Any:
    """A file's table, whose ``PART_kib`` is what Python calls ``PART_bytes``; Python's own arguments as they are."""
    kib, size = f"{part}_kib", f"{part}_bytes"
    if not isinstance(table, Mapping):
        return table
    if kib not in table or size in table:
        raise InputError(kib, None, "give one", problem="got none")
    others = {key: value for key, value in table.items() if key != kib}
    return others | {size: in_bytes(table[kib])}


Kib = Annotated[int, Field(ge=1, le=MOST_BYTES // 1024), checked(size_kib)]
"""The size of an SRAM as files have it."""

Bytes = Annotated[int, Field(ge=1, le=MOST_BYTES), checked(size_bytes, Kib)]
"""The same as Python has it: what files have in KiB, ``table_in_bytes`` turns."""


def in_thousandths(unit: str) -> Any:
    """A rule for rates that are whole numbers of a thousandth of their unit, so that quotients of them are exact.

    Args:
        unit: such a thousandth.
    """

    def rule(field: str, value: Any) -> float:
        rate = number(field, value, above=True)
        if rate > MOST_RATE:
            raise InputError(field, rate, f"give a number of at most {MOST_RATE:g}")
        if round(rate * 1000) < 1 or abs(rate * 1000 - round(rate * 1000)) > 1e-6:
            raise InputError(field, rate, f"give a whole number of {unit}, as in {rate:.3f}")
        return rate

    return checked(rule)
