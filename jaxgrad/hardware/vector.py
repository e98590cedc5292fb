"""The vector unit beside the array, which does what is no matrix product."""

from __future__ import annotations

from jaxgrad.base.schema import Size, described


@described()
class VectorUnit:
    """``lanes`` elementwise operations a clock cycle.

    Raises:
        InputError: not a whole number of at least 1.

    >>> VectorUnit(lanes=128).lanes
    128
    """

    lanes: Size
