"""Fillings of the ifmap's buffer in ws, where each row of the array asks for one place of all windows in turn.

In line ``l`` of a fold, row ``r`` asks for its place of window ``l - r``. Where another row of the fold asks for the
same word, it does so a number of lines before or after that depends on the two places alone; only at the edges of the
output there is no such window. So how far back each word was asked for is the same in every row of windows, but for
the first and the last ones, and a word is new in a filling if that was before the filling began. Where a filling ends
then follows from the row of the array and the column of windows in which it begins.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.read_buffer import Fillings

_LEAST_LINES = 64  # looked at together


class Place(NamedTuple):
    """A place of a fold's stream."""

    line: int
    row: int


class _Fold:
    """The stream of one fold.

    Args:
        layer: a convolution, as SCALE-Sim takes it.
        top: the place of the first row.
        rows: in use.
    """

    def __init__(self, layer: Layer, top: int, rows: int) -> None:
        self._layer, self._top, self.rows = layer, top, rows
        self._height, self._width = layer.ofmap_height, layer.ofmap_width
        self.lines = self._height * self._width + rows - 1
        self._number = np.int32 if self.lines * rows < 1 << 31 else np.int64
        self._never = np.iinfo(self._number).max
        self._ends: dict[tuple[int, int], Place] = {}
        self._far = _LEAST_LINES

    def end(self, start: Place, held: int) -> tuple[Place | None, int]:
        """The place at which a filling of ``held`` words that began at ``start`` is full, and the words that are left
        then; no place, if the fold ends before."""
        key = start.line % self._width, start.row
        if key not in self._ends and self._alike(start.line, start.line):
            end, _ = self._counted(start, held, alike=True)
            if end is not None:
                self._ends[key] = Place(end.line - start.line, end.row)
        if key in self._ends:
            lines, row = self._ends[key]
            if self._alike(start.line, start.line + lines):
                return Place(start.line + lines, row), 0
        return self.counted(start, held)

    def counted(self, start: Place, held: int) -> tuple[Place | None, int]:
        """The same, near the edges of the output too."""
        return self._counted(start, held, alike=False)

    def _counted(self, start: Place, held: int, *, alike: bool) -> tuple[Place | None, int]:
        line, left = start.line, held
        while line < self.lines:
            stop = min(line + self._far, self.lines)
            if alike:
                stop = min(stop, line - line % self._width + 2 * self._width)
                first = line % self._width
                distances = self._table[first : first + stop - line]
            else:
                distances = self._distances(line, stop)
            since = (line - start.line) * self.rows - start.row
            new = distances.reshape(-1) > np.arange(since, since + distances.size, dtype=self._number)
            if line == start.line:
                new[: start.row] = False
            words = int(np.count_nonzero(new))
            if words >= left:
                at, row = divmod(int(np.flatnonzero(new)[left - 1]), self.rows)
                self._far = max(_LEAST_LINES, (line + at - start.line) * 9 // 8)
                return Place(line + at, row), 0
            line, left = stop, left - words
        return None, left

    def _alike(self, first: int, last: int) -> bool:
        """Whether all between two lines looks as it would some rows of windows further on."""
        least, most = self._rows_alike
        return (first - self.rows + 1) // self._width >= least and last // self._width <= most

    @cached_property
    def _rows_alike(self) -> tuple[int, int]:
        """The first and the last row of windows of which all pixels are within the input and all others are there."""
        downs = [further for _, further, _, _ in self._earlier]
        whole = (self._layer.ifmap_height - self._layer.filter_height) // self._layer.strides[0]
        return max(0, -min(downs, default=0)), min(whole, self._height - 1 - max(downs, default=0))

    @cached_property
    def _table(self) -> np.ndarray:
        """Distances in two rows of windows that are alike."""
        table = self._distances(0, self._width, alike=True)
        return np.concatenate([table, table])

    def _distances(self, first: int, stop: int, *, alike: bool = False) -> np.ndarray:
        """How many places back each word of some lines was asked for before, a line having a place for each row.

        It is the largest number where that was never, and -1 where there is no word.

        Args:
            first, stop: the lines.
            alike: whether they are those of rows of windows with as many above and below as matter.
        """
        layer, rows = self._layer, np.arange(self.rows)
        row, col = np.divmod(np.arange(first, stop)[:, None] - rows, self._width)
        down, right = np.divmod((self._top + rows) // layer.channels, layer.filter_width)
        distances = np.full(row.shape, self._never, self._number)
        for distance, further, across, has_other in self._earlier:
            there = has_other & (col + across >= 0) & (col + across < self._width)
            if not alike:
                there &= (row + further >= 0) & (row + further < self._height)
            distances[there] = distance
        word = col * layer.strides[1] + right < layer.ifmap_width
        if not alike:
            word &= (row >= 0) & (row < self._height) & (row * layer.strides[0] + down < layer.ifmap_height)
        distances[~word] = -1
        return distances

    @cached_property
    def _earlier(self) -> list[tuple[int, int, int, np.ndarray]]:
        """Where words may have been asked for before, the earliest first.

        Each is how many places back that was, by a window how many rows and columns further on, and for which rows of
        the array it holds.
        """
        layer, rows = self._layer, np.arange(self.rows)
        down, right = np.divmod((self._top + rows) // layer.channels, layer.filter_width)
        earlier = []
        for below in range(1 - layer.filter_height, layer.filter_height):
            for beside in range(1 - layer.filter_width, layer.filter_width):
                if below % layer.strides[0] or beside % layer.strides[1]:
                    continue
                further, across = -below // layer.strides[0], -beside // layer.strides[1]
                other = rows + (below * layer.filter_width + beside) * layer.channels
                has_other = (down + below >= 0) & (down + below < layer.filter_height)
                has_other &= (right + beside >= 0) & (right + beside < layer.filter_width)
                has_other &= (other >= 0) & (other < self.rows)
                places = int(rows[0] - other[0])
                distance = (places - further * self._width - across) * self.rows + places
                if distance > 0 and has_other.any():
                    earlier.append((distance, further, across, has_other))
        return sorted(earlier, key=lambda other: -other[0])


class Lines:
    """The lines of a layer's folds.

    Args:
        layer: a convolution, as SCALE-Sim takes it.
        folds: of its GEMM, in ws.
        held: words of the buffer, more than are asked for in one cycle.
    """

    def __init__(self, layer: Layer, folds: Folds, held: int) -> None:
        self._layer, self._folds, self._held = layer, folds, held

    @cached_property
    def _streams(self) -> list[_Fold]:
        folds = self._folds
        return [_Fold(self._layer, fold * folds.rows, folds.used_rows(fold)) for fold in range(folds.row_folds)]

    def fillings(self, sweeps: int) -> Fillings | None:
        """How often the buffer is filled in so many sweeps over all folds; None where a filling could ask for a word in
        two folds."""
        count, last, sweep, left = 0, -1, 0, self._held
        ahead = 0  # lines of the next fold that have no word in common with the filling that goes on in it
        marks: dict[tuple[int, int], tuple[int, int]] = {}
        while sweep < sweeps:
            # What the buffer holds follows from where it last forgot: from there on all goes as before.
            state = left, ahead
            if state in marks:
                before, filled = marks[state]
                period = sweep - before
                skipped = (sweeps - sweep) // period
                count += skipped * (count - filled)
                last += skipped * period * self._folds.row_folds * self._folds.cycles_each
                sweep += skipped * period
                if sweep == sweeps:
                    break
            marks[state] = sweep, count
            for fold, stream in enumerate(self._streams):
                carried = left < self._held
                start = Place(0, 0)
                while True:
                    end, left = stream.counted(start, left) if carried else stream.end(start, self._held)
                    if end is None:
                        break
                    if carried and end.line >= ahead:
                        return None
                    carried, left = False, self._held
                    count += 1
                    cycles = (sweep * self._folds.row_folds + fold) * self._folds.cycles_each
                    last = cycles + self._folds.rows + end.line
                    start = _after(end, stream.rows)
                if carried:
                    return None
                ahead = start.line - stream.rows + 1 - self._apart if left < self._held else 0
            sweep += 1
        return Fillings(count, last, self._held - left)

    @property
    def _apart(self) -> int:
        """Windows further apart than that have no pixel in common."""
        layer = self._layer
        return (layer.filter_height - 1) // layer.strides[0] * layer.ofmap_width + (
            layer.filter_width - 1
        ) // layer.strides[1]


def _after(end: Place, rows: int) -> Place:
    return Place(end.line, end.row + 1) if end.row + 1 < rows else Place(end.line + 1, 0)
