"""Filters with a ratio each (SCALE-Sim's OptimizedMapping, ws): what is drawn, and what crosses the array's edges.

A filter's place in the array is K' slots, M of them for each pair of blocks of M places: the first M / 2 slots hold the
N stored places of the one block, the others those of the other, and what is left of a half stays empty. Since filters
differ, each row of the array gets all M places of its block. So every block streams in M / 2 times, each time a cycle
later than the time before, and a line at the array's edge is M words for each row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.layers import Layer, RowWise
from jaxgrad.interop.scalesim.read_buffer import Fillings
from jaxgrad.interop.scalesim.walk import Block, walk
from jaxgrad.interop.scalesim.windows import MOST_PLACES, Windows

_BLOCK = 1 << 20  # places of the stream


def ratios(row_wise: RowWise, filters: int) -> np.ndarray:
    """N of each filter, as SCALE-Sim draws it.

    >>> ratios(RowWise(8, seed=40), 6)
    array([3, 4, 4, 2, 1, 1])
    """
    # The generator whose streams NumPy keeps as they are; one draw a filter, as SCALE-Sim makes them.
    draw = np.random.RandomState(row_wise.seed)
    return np.array([draw.randint(1, row_wise.block // 2 + 1) for _ in range(filters)])


def stored(row_wise: RowWise, window: int, filters: int) -> int:
    """Places that are stored of so many filters of so many places."""
    kept = ratios(row_wise, filters)
    blocks, rest = divmod(window, row_wise.block)
    return int((blocks * kept + np.minimum(kept, rest)).sum())


@dataclass(frozen=True)
class RowWiseFilters:
    """The filters of a layer in the array's slots.

    Args:
        layer: with ``row_wise``.
        folds: of its GEMM, in ws.
    """

    layer: Layer
    folds: Folds

    @cached_property
    def lines(self) -> np.ndarray:
        """Words loaded in each line of each fold, fold after fold; a line is a row of the array, the last row first."""
        folds = self.folds
        assert self.layer.row_wise is not None
        block = self.layer.row_wise.block
        half = block // 2
        slot = np.arange(folds.row_folds * folds.rows)
        pair, within = np.divmod(slot, 2 * half)
        number, rank = np.divmod(within, half)
        filled = 2 * block * pair + block * number + rank < self.layer.window
        rank = np.where(filled, rank, half)  # as many places are stored of none
        kept = ratios(self.layer.row_wise, self.layer.filters)
        # Filters of a fold of columns that store a place of that rank.
        more = np.zeros((folds.col_folds, half + 1), np.int64)
        np.add.at(more, (np.arange(kept.size) // folds.cols, kept - 1), 1)
        more[:, :half] = more[:, half - 1 :: -1].cumsum(1)[:, ::-1]
        return more[:, rank].reshape(folds.count, folds.rows)[:, ::-1]

    @property
    def first(self) -> int:
        """Cycle of the first word."""
        return self._cycle(int(np.flatnonzero(self.lines.ravel())[0]))

    @property
    def last(self) -> int:
        return self._cycle(int(np.flatnonzero(self.lines.ravel())[-1]))

    def fillings(self, held: int) -> Fillings:
        """How often a buffer of ``held`` words is filled; each word is asked for once."""
        asked = self.lines.ravel().cumsum()
        count, rest = divmod(int(asked[-1]), held)
        if not count:
            return Fillings(0, -1, rest)
        line = np.searchsorted(asked, held * np.arange(1, count + 1))
        return Fillings(count, self._cycle(int(line[-1])), rest, bool((np.diff(line) == 0).any()))

    def _cycle(self, line: int) -> int:
        fold, within = divmod(line, self.folds.rows)
        return fold * self.folds.cycles_each + within


@dataclass(frozen=True)
class RowWiseWindows:
    """The ifmap of such a layer, whose places stream in block by block.

    Args:
        layer: with ``row_wise``.
        folds: of its GEMM, in ws.
    """

    layer: Layer
    folds: Folds

    @property
    def reads(self) -> int:
        """As SCALE-Sim counts them: all places of all lines, the empty ones too."""
        folds = self.folds
        return folds.count * (folds.mapped[2] + folds.rows - 1) * self._copies * self._block

    @property
    def countless(self) -> bool:
        """Whether the input or the stream is too large to walk."""
        return self._dense.countless or self.places > MOST_PLACES

    @property
    def places(self) -> int:
        """The same without the empty ones."""
        return self.folds.mapped[2] * self.layer.window * (self._block // 2) * self.folds.col_folds

    @property
    def first_cycle(self) -> int:
        return self.folds.rows

    @property
    def last_cycle(self) -> int:
        """Cycle in which the last word is asked for that is in the input."""
        folds, place = self.folds, np.arange(self.layer.window)
        fold, within = np.divmod(place, 2 * folds.rows)
        late = (within // self._block + 1) * (self._block // 2) - 1
        cycles = fold * folds.cycles_each + folds.rows + self._dense.last_windows + late
        return int(cycles.max()) + (folds.count - folds.row_folds) * folds.cycles_each

    def fillings(self, held: int) -> Fillings:
        """How often a buffer of ``held`` words is filled."""
        dense, folds = self._dense, self.folds
        different = dense.different
        if different < held:
            return Fillings(0, -1, different)
        cycles = folds.row_folds * folds.cycles_each
        return walk(dense.empty_buffer(), self._stream, folds.col_folds, cycles, held)

    def _stream(self) -> Iterator[Block]:
        """One sweep over the folds, in the order of the array's requests."""
        folds, corner, offset = self.folds, *self._dense.addresses
        for fold in range(folds.row_folds):
            part = offset[fold * 2 * folds.rows :][: 2 * folds.rows]
            place = np.arange(self._copies * self._block)
            late = place // self._block
            place = late // (self._block // 2) * self._block + place % self._block
            real = place < part.size
            late, words = late[real], part[place[real]]
            if not words.size:
                continue
            lines = max(1, _BLOCK // words.size)
            end = folds.mapped[2] + int(late[-1])
            for start in range(0, end, lines):
                line = np.arange(start, min(start + lines, end))[:, None]
                window = line - late
                asked = (window >= 0) & (window < folds.mapped[2])
                index = np.flatnonzero(asked)
                row, column = np.divmod(index, words.size)
                asked_for = corner[row + start - late[column]] + words[column]
                yield Block(asked_for, row + start + folds.rows, fold, folds.cycles_each)

    @property
    def _block(self) -> int:
        assert self.layer.row_wise is not None
        return self.layer.row_wise.block

    @property
    def _copies(self) -> int:
        """Blocks that stream in beside each other, each of its copies counted."""
        return 2 * self.folds.rows // self._block * (self._block // 2)

    @property
    def _dense(self) -> Windows:
        return Windows(replace(self.layer, sparsity=None, row_wise=None), self.folds)
