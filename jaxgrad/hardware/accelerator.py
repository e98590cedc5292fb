"""The array itself: PEs in rows and columns."""

from __future__ import annotations

from jaxgrad.base.schema import Size, Switch, described


@described()
class Accelerator:
    """A systolic array of ``rows`` x ``cols`` processing elements (PEs), one multiply-accumulate a cycle each.

    Args:
        rows: PEs in a column (the array's height); operands that stream horizontally enter one a row.
        cols: PEs in a row (the array's width).
        double_buffered: whether each PE has shadow registers (``w_next``, a second ``acc``), so that the next
            tile's load and the last tile's drain overlap with the stream.

    Raises:
        InputError: a size is not a whole number of at least 1.

    >>> Accelerator(rows=128, cols=64).pes
    8192
    """

    rows: Size
    cols: Size
    double_buffered: Switch = False

    @property
    def pes(self) -> int:
        return self.rows * self.cols
