"""The array itself: PEs in rows and columns."""

from __future__ import annotations

from dataclasses import dataclass

from jaxgrad.base.errors import boolean, positive_integer


@dataclass(frozen=True)
class Accelerator:
    """A systolic array of ``rows`` x ``cols`` processing elements (PEs), one multiply-accumulate a cycle each.

    Args:
        rows: PEs in a column (the array's height); operands that stream horizontally enter one a row.
        cols: PEs in a row (the array's width).
        double_buffered: whether each PE has shadow registers (``w_next``, a second ``acc``), so that the next
            tile's load and the last tile's drain overlap with the stream.

    Raises:
        ValueError: a size is not a whole number of at least 1.
    """

    rows: int
    cols: int
    double_buffered: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", positive_integer("rows", self.rows))
        object.__setattr__(self, "cols", positive_integer("cols", self.cols))
        boolean("double_buffered", self.double_buffered)

    @property
    def pes(self) -> int:
        return self.rows * self.cols
