"""The vector unit beside the array, which does what is no matrix product."""

from __future__ import annotations

from dataclasses import dataclass

from jaxgrad.base.errors import positive_integer


@dataclass(frozen=True)
class VectorUnit:
    """``lanes`` elementwise operations a clock cycle.

    Raises:
        ValueError: not a whole number of at least 1.
    """

    lanes: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "lanes", positive_integer("lanes", self.lanes))
