"""A group of windows, all of whose places the array asks for together: when it asks for which words."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from jaxgrad.interop.scalesim.raster import Raster

_OUTSIDE = np.iinfo(np.int64).max // 4  # later than any place


class Template:
    """The places of a group, its words told by pixel and channel.

    Args:
        raster: of the layer.
        row: of its first window; rows of pixels count from that window's.
        windows, places: of each place in the order of requests: the window, and the place within that. Windows count
            from the row's first, or, for all groups within a row, from the group's; columns of pixels alike.
    """

    def __init__(self, raster: Raster, row: int, windows: np.ndarray, places: np.ndarray) -> None:
        layer = raster.layer
        self.channels = layer.channels
        self._raster, self._width = raster, layer.ifmap_width
        above = row * layer.strides[0]
        window_row, window_col = np.divmod(windows, raster.cols)
        place, channel = np.divmod(places, layer.channels)
        down, right = np.divmod(place, layer.filter_width)
        y, x = window_row * layer.strides[0] + down, window_col * layer.strides[1] + right
        within = (y + above < layer.ifmap_height) & (x < self._width)
        key = y * self._width + x
        touched = np.zeros(int(key.max()) + 1, bool)
        touched[key[within]] = True
        self.keys = np.flatnonzero(touched)  # of pixels: row times width, and column
        number = np.cumsum(touched) - 1
        self.word = np.where(within, number[key] * layer.channels + channel, -1)
        asked = np.flatnonzero(within)
        size = self.keys.size * layer.channels
        self.last = np.zeros(size, np.int64)
        self.last[self.word[asked]] = asked
        first = np.zeros(size, np.int64)
        first[self.word[asked[::-1]]] = asked[::-1]
        # Places at which a word is asked for first, and the words.
        self.firsts = asked[first[self.word[asked]] == asked]
        self.order = self.word[self.firsts]
        self._lasts = np.sort(self.last)
        self._pixels = np.divmod(self.keys, self._width)

    def pixels(self, row: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of its pixels in the input, of a group in that row whose windows count from ``shift``."""
        down, right = self._raster.layer.strides
        return self._pixels[0] + row * down, self._pixels[1] + shift * right

    def words_from(self, place: int) -> int:
        """Words asked for from that place on."""
        return self.last.size - int(self._lasts.searchsorted(place))

    def held_from(self, place: int) -> np.ndarray:
        """Words of each pixel asked for from that place on."""
        return (self.last.reshape(-1, self.channels) >= place).sum(1)

    def under(self, start: int, stop: int, row: int, shift: int) -> np.ndarray:
        """Which pixels of a group at that place are under windows from ``start`` up to ``stop``."""
        if start >= stop:
            return np.zeros(self.keys.size, bool)
        first, last = self._raster.reach(*self._pixels, shift)
        origin = row * self._raster.cols + shift
        return np.any((last >= start - origin) & (first < stop - origin), axis=0)

    def end_within(self, place: int, held: int) -> int:
        """The place after which ``held`` words were asked for since that one."""
        new = np.flatnonzero(self._before[place:] < place)
        return place + int(new[held - 1]) + 1

    @cached_property
    def _before(self) -> np.ndarray:
        """The place at which each place's word was asked for before; of words outside the input, none."""
        order = np.argsort(self.word, kind="stable")
        again = self.word[order[1:]] == self.word[order[:-1]]
        before = np.full(self.word.size, -1)
        before[order[1:][again]] = order[:-1][again]
        before[self.word < 0] = _OUTSIDE
        return before
