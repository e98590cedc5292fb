"""How SCALE-Sim folds a GEMM onto R rows and C columns, and which words cross the array's edges at which cycle.

A fold is a pass of the whole array, one after another: the outer loop goes over columns, the inner over rows. Within a
fold each edge sees one ``Patch``: a rectangle of words, either a line a cycle, or skewed, so that a word's cycle is the
sum of its two indices. Words of one cycle come in the order of columns.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxgrad.interop.scalesim.layers import Product

Dataflow = Literal["os", "ws", "is"]
DATAFLOWS: tuple[Dataflow, ...] = ("os", "ws", "is")


class Patch(NamedTuple):
    """The words that cross one edge of the array in one fold.

    Args:
        first: cycle of the first, counted from the fold's start.
        length, width: of the rectangle; a line is ``width`` words.
        skewed: whether column c is c cycles late.
    """

    first: int
    length: int
    width: int
    skewed: bool

    @property
    def words(self) -> int:
        return self.length * self.width

    @property
    def last(self) -> int:
        """Cycle of the last word."""
        return self.first + self.length - 1 + (self.width - 1 if self.skewed else 0)

    def before(self, cycle: int) -> int:
        """Words that crossed before ``cycle``."""
        lines = max(0, cycle - self.first)
        if not self.skewed:
            return min(lines, self.length) * self.width
        short, long = sorted((self.length, self.width))
        if lines <= short:
            return lines * (lines + 1) // 2
        if lines <= long:
            return short * (short + 1) // 2 + (lines - short) * short
        left = max(0, self.length + self.width - 1 - lines)
        return self.words - left * (left + 1) // 2

    def cycle(self, word: int) -> int:
        """Cycle of the word of that index, from 0."""
        if not self.skewed:
            return self.first + word // self.width
        return bisect_right(range(self.last + 1), word, lo=self.first, key=self.before) - 1


@dataclass(frozen=True)
class Folds:
    """A GEMM on the array.

    Args:
        rows, cols: of the array, in PEs.
        dataflow: os keeps M x N, ws K x N, is K x M; the third size streams.
    """

    product: Product
    rows: int
    cols: int
    dataflow: Dataflow

    @property
    def mapped(self) -> tuple[int, int, int]:
        """Sizes along the array's rows, along its columns, and in time."""
        m, n, k = self.product
        return {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[self.dataflow]

    @property
    def row_folds(self) -> int:
        return -(-self.mapped[0] // self.rows)

    @property
    def col_folds(self) -> int:
        return -(-self.mapped[1] // self.cols)

    @property
    def count(self) -> int:
        return self.row_folds * self.col_folds

    @property
    def cycles_each(self) -> int:
        """An edge fold takes as long as a full one; os has no cycles to drain: outputs leave before they are done."""
        streamed = self.mapped[2]
        return self.rows + self.cols + streamed - 2 + (0 if self.dataflow == "os" else self.rows)

    @property
    def cycles(self) -> int:
        """Of all folds, which do not overlap."""
        return self.count * self.cycles_each

    def used_rows(self, fold: int) -> int:
        """Rows in use in a fold of that index along the rows; a negative one counts from the last."""
        return min(self.rows, self.mapped[0] - fold % self.row_folds * self.rows)

    def used_cols(self, fold: int) -> int:
        return min(self.cols, self.mapped[1] - fold % self.col_folds * self.cols)

    def streamed_over_rows(self, row_fold: int) -> Patch:
        """What streams in at the left: ifmap in os and ws, filter in is."""
        first = 0 if self.dataflow == "os" else self.rows
        return Patch(first, self.mapped[2], self.used_rows(row_fold), True)

    def streamed_over_cols(self, col_fold: int) -> Patch:
        """What streams in at the top: the filter in os."""
        return Patch(0, self.mapped[2], self.used_cols(col_fold), True)

    def stationary(self, row_fold: int, col_fold: int) -> Patch:
        """What is loaded before a fold: filter in ws, ifmap in is. Empty rows are loaded first."""
        used = self.used_rows(row_fold)
        return Patch(self.rows - used, used, self.used_cols(col_fold), False)

    def written(self, row_fold: int, col_fold: int) -> Patch:
        """The ofmap's words, sums and partial sums alike."""
        width = self.used_cols(col_fold)
        if self.dataflow == "os":
            used = self.used_rows(row_fold)
            return Patch(self.mapped[2] - 1 + self.rows - used, used, width, True)
        return Patch(2 * self.rows - 1, self.mapped[2], width, True)
