"""How many bits a code may have."""

from __future__ import annotations

from typing import Any

from jaxgrad.base.errors import InputError

MOST = 8
"""What fits a byte."""


def check_bits(field: str, bits: Any) -> None:
    """Refuses what is no number of bits from 1 to ``MOST``.

    Raises:
        InputError: it is none.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= MOST:
        raise InputError(field, bits, f"give a whole number of bits from 1 to {MOST}")
