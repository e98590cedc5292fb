"""The pixels under windows that follow one another in raster order: how many, and which, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxgrad.interop.scalesim.layers import Layer

_NEVER = np.iinfo(np.int64).max // 4  # a window that there is not


@dataclass(frozen=True)
class Raster:
    """The windows of a layer, numbered row after row; pixels are those within the input."""

    layer: Layer

    @property
    def cols(self) -> int:
        """Windows in a row."""
        return self.layer.ofmap_width

    def area(self, start: int, stop: int) -> int:
        """Pixels under the windows from ``start`` up to ``stop``."""
        if start >= stop:
            return 0
        (top, left), (bottom, right) = divmod(start, self.cols), divmod(stop - 1, self.cols)
        if top == bottom:
            return len(self._rows(top)) * self._width(left, right)
        last = self.cols - 1
        # Rows of windows that are whole.
        first_whole, last_whole = top + (left > 0), bottom - (right < last)
        covered = self._height(first_whole, last_whole)
        above, below = self._rows(top), self._rows(bottom)
        if left > 0:
            # What lies under the first row of windows and under none that is whole.
            alone = len(above) if first_whole > last_whole else self._outside(above, first_whole, last_whole)
            shared = len(range(max(above.start, below.start), min(above.stop, below.stop)))
            if right < last and first_whole > last_whole:
                covered += shared * self._both(left, right) + (alone - shared) * self._width(left, last)
                return covered + (len(below) - shared) * self._width(0, right)
            covered += alone * self._width(left, last)
        if right < last:
            alone = len(below) if first_whole > last_whole else self._outside(below, first_whole, last_whole)
            covered += alone * self._width(0, right)
        return covered

    def reach(self, rows: np.ndarray, cols: np.ndarray, shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """For pixels, the first and the last window over each in every row of windows that may lie over it; where there
        is none, the first is after the last.

        Args:
            rows, cols: of the pixels.
            shift: windows that columns, and windows, are counted from.
        """
        down, right = self.layer.strides
        row = rows // down - np.arange(-(-self.layer.filter_height // down))[:, None]
        over = row * down + self.layer.filter_height > rows
        leftmost = np.maximum(-shift, -((self.layer.filter_width - 1 - cols) // right))
        rightmost = np.minimum(self.cols - 1 - shift, cols // right)
        over &= leftmost <= rightmost
        return np.where(over, row * self.cols + leftmost, _NEVER), np.where(over, row * self.cols + rightmost, -_NEVER)

    def _rows(self, row: int) -> range:
        """Rows of pixels under a row of windows."""
        start = row * self.layer.strides[0]
        return range(start, max(start, min(start + self.layer.filter_height, self.layer.ifmap_height)))

    def _height(self, first: int, last: int) -> int:
        """Pixels under whole rows of windows."""
        if first > last:
            return 0
        if self.layer.filter_height >= self.layer.strides[0]:
            rows = max(0, self._rows(last).stop - self._rows(first).start)
        else:
            rows = int(self._heights[last + 1] - self._heights[first])
        return rows * self._width(0, self.cols - 1)

    def _outside(self, rows: range, first: int, last: int) -> int:
        """How many of the rows of pixels are under no row of windows from ``first`` to ``last``."""
        if self.layer.filter_height < self.layer.strides[0]:
            return len(rows)
        whole = range(self._rows(first).start, self._rows(last).stop)
        return len(rows) - len(range(max(rows.start, whole.start), min(rows.stop, whole.stop)))

    def _width(self, first: int, last: int) -> int:
        """Columns of pixels under the windows of a row from ``first`` to ``last``."""
        if self.layer.filter_width < self.layer.strides[1]:
            return int(self._widths[last + 1] - self._widths[first])
        return max(0, self._right(last) - min(first * self.layer.strides[1], self.layer.ifmap_width))

    def _right(self, window: int) -> int:
        return min(window * self.layer.strides[1] + self.layer.filter_width, self.layer.ifmap_width)

    def _both(self, left: int, right: int) -> int:
        """Columns under the windows of a row from ``left`` on, or up to ``right``."""
        last = self.cols - 1
        if left <= right + 1:
            return self._width(0, last)
        overlap = max(0, self._right(right) - left * self.layer.strides[1])
        return self._width(0, right) + self._width(left, last) - overlap

    @cached_property
    def _heights(self) -> np.ndarray:
        return _sums(self.layer.ofmap_height, self.layer.strides[0], self.layer.filter_height, self.layer.ifmap_height)

    @cached_property
    def _widths(self) -> np.ndarray:
        return _sums(self.layer.ofmap_width, self.layer.strides[1], self.layer.filter_width, self.layer.ifmap_width)


def _sums(windows: int, stride: int, size: int, limit: int) -> np.ndarray:
    """Pixels along one axis under the windows before each."""
    reach = np.minimum(size, limit - np.arange(windows) * stride).clip(0)
    return np.concatenate([[0], np.cumsum(reach)])
