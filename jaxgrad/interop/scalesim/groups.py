"""Fillings of the ifmap's buffer where the array asks for all places of some windows, and then of the next: os and is.

A filling begins with nothing held, so that when it ends follows from the places after its beginning alone. Of the
groups of windows that it has gone through it holds every word, and how many these are is told in closed form
(``raster.py``); place by place one has to look only at the group in which it began and at the one in which it ends.
These look alike wherever their windows lie alike in their rows, so that what follows from where is kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.raster import Raster
from jaxgrad.interop.scalesim.read_buffer import Fillings
from jaxgrad.interop.scalesim.template import Template

_TEMPLATES = 128  # kept at a time


class Place(NamedTuple):
    """A place of a sweep: the group, and which of its places."""

    group: int
    place: int


class _Row(NamedTuple):
    """The first filling that begins in a row of windows, those before it, and the first group of a later row."""

    start: Place
    count: int
    next_group: int


class _Jump(NamedTuple):
    """So many fillings, and where the last ends: so many groups further on, after that place."""

    further: int
    place: int
    fillings: int


class Groups:
    """The groups of a layer's windows.

    Args:
        layer: a convolution, as SCALE-Sim takes it.
        folds: of its GEMM, in os or is.
        held: words of the buffer, at most those of a sweep, and more than are asked for in one cycle.
    """

    def __init__(self, layer: Layer, folds: Folds, held: int) -> None:
        self._layer, self._folds, self._held = layer, folds, held
        self._raster = Raster(layer)
        output_stationary = folds.dataflow == "os"
        self._width = folds.rows if output_stationary else folds.cols
        self._windows = layer.product.m
        self._count = -(-self._windows // self._width)
        self._cycles = folds.cycles_each * (1 if output_stationary else folds.row_folds)
        self._template = lru_cache(_TEMPLATES)(self._new_template)
        self._sequence = lru_cache(2)(self._requests)
        # Where fillings and rows of them end, by the column of their first window (-1 for any) and their first place.
        self._ends: dict[tuple[int, int], tuple[int, int]] = {}
        self._rows: dict[tuple[int, int], _Jump] = {}
        self._far = 1

    def fillings(self, sweeps: int) -> Fillings:
        """How often the buffer is filled in so many sweeps over all groups."""
        count, sweep, last = 0, 0, -1
        start = Place(0, 0)
        marks: dict[Place, tuple[int, int]] = {}
        row: _Row | None = None
        last_end = start
        while True:
            end = None
            if start.group < self._count:
                if row is None or start.group >= row.next_group:
                    if row is not None:
                        self._keep(row, last_end, count)
                    row = _Row(start, count, self._next_row(start.group))
                    jump = self._rows.get(self._key(start))
                    if jump is not None and self._alike(start.group, jump.further, None):
                        last_end = Place(start.group + jump.further, jump.place)
                        count, row = count + jump.fillings, None
                        last = (sweep * self._count + last_end.group) * self._cycles + self._line(last_end)
                        start = self._after(last_end)
                        continue
                end = self._end(start)
            if end is None:
                row = None
                sweep += 1
                # What the buffer holds follows from where it last forgot: from there on all goes as before.
                if start in marks:
                    before, filled = marks[start]
                    period = sweep - before
                    skipped = (sweeps - sweep) // period
                    count += skipped * (count - filled)
                    last += skipped * period * self._cycles * self._count
                    sweep += skipped * period
                marks[start] = sweep, count
                if sweep >= sweeps:
                    return Fillings(count, last, self._words(start, self._count - 1))
                if start.group == self._count:
                    start = Place(0, 0)
                    continue
                end = self._end_in_next(start)
            count, last_end = count + 1, end
            last = (sweep * self._count + end.group) * self._cycles + self._line(end)
            start = self._after(end)

    def _after(self, end: Place) -> Place:
        """Where the next filling begins."""
        return end if end.place < self._size(end.group) * self._layer.product.k else Place(end.group + 1, 0)

    def _key(self, start: Place) -> tuple[int, int]:
        return start.group * self._width % self._raster.cols, start.place

    def _next_row(self, group: int) -> int:
        """The first group that begins in a later row of windows."""
        row = group * self._width // self._raster.cols
        return -(-(row + 1) * self._raster.cols // self._width)

    def _keep(self, row: _Row, end: Place, count: int) -> None:
        """Keeps where the fillings of a row ended, for rows that begin alike."""
        further = end.group - row.start.group
        if self._alike(row.start.group, further, None):
            self._rows[self._key(row.start)] = _Jump(further, end.place, count - row.count)

    def _line(self, end: Place) -> int:
        """Cycle of the place before, counted from its group's start."""
        return int(self._sequence(self._size(end.group))[2][end.place - 1])

    def _size(self, group: int) -> int:
        """Windows of a group: the last may have fewer."""
        return min(self._width, self._windows - group * self._width)

    def _requests(self, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Window, place and cycle of each request of a group of so many windows, in order."""
        folds, k = self._folds, self._layer.product.k
        window, place = np.divmod(np.arange(size * k), k)
        if folds.dataflow == "os":
            order = np.argsort(window + place, kind="stable")
            return window[order], place[order], (window + place)[order]
        fold, line = np.divmod(np.arange(k), folds.rows)
        used = np.minimum(folds.rows, k - fold * folds.rows)
        upwards = fold * folds.rows + used - 1 - line
        cycle = line + fold * folds.cycles_each + folds.rows - used
        return np.tile(np.arange(size), k), np.repeat(upwards, size), np.repeat(cycle, size)

    def _at(self, group: int) -> tuple[Template, int, int]:
        """A group's template, its first window's row, and the window in it that the template's count from."""
        row, col = divmod(group * self._width, self._raster.cols)
        if self._alike(group, 0, col):
            return self._template(0, self._width, 0), row, col
        size = self._size(group)
        bottom = (group * self._width + size - 1) // self._raster.cols
        hangs_out = bottom * self._layer.strides[0] + self._layer.filter_height > self._layer.ifmap_height
        return self._template(col, size, row if hangs_out else 0), row, 0

    def _new_template(self, col: int, size: int, row: int) -> Template:
        windows, places, _ = self._sequence(size)
        return Template(self._raster, row, windows + col, places)

    def _words(self, start: Place, group: int) -> int:
        """Words asked for from a place on until that group is done."""
        if start.group > group:
            return 0
        template, row, shift = self._at(start.group)
        first = (start.group + 1) * self._width
        stop = min((group + 1) * self._width, self._windows)
        alone = template.held_from(start.place)[~template.under(first, stop, row, shift)]
        return int(alone.sum()) + self._raster.area(first, stop) * self._layer.channels

    def _end(self, start: Place) -> Place | None:
        """The place after which the buffer is full that was empty at ``start``; none in this sweep."""
        col = start.group * self._width % self._raster.cols
        for key in ((-1, start.place), (col, start.place)):
            if key in self._ends and self._alike(start.group, self._ends[key][0], col if key[0] < 0 else None):
                further, place = self._ends[key]
                return Place(start.group + further, place)
        end = self._new_end(start)
        if end is not None:
            further = end.group - start.group
            self._far = max(1, further)
            for key, at in (((-1, start.place), col), ((col, start.place), None)):
                if self._alike(start.group, further, at):
                    self._ends[key] = further, end.place
                    break
        return end

    def _alike(self, group: int, further: int, col: int | None) -> bool:
        """Whether all looks as it would elsewhere, up to a group so many further on: in another row, or if the first
        one's column is given, anywhere within a row."""
        layer, stop = self._layer, (group + further + 1) * self._width
        if stop > self._windows:
            return False
        bottom = (stop - 1) // self._raster.cols
        if bottom * layer.strides[0] + layer.filter_height > layer.ifmap_height:
            return False
        if col is None:
            return True
        last = col + (further + 1) * self._width - 1
        return last < self._raster.cols and last * layer.strides[1] + layer.filter_width <= layer.ifmap_width

    def _new_end(self, start: Place) -> Place | None:
        template, _, _ = self._at(start.group)
        if template.words_from(start.place) >= self._held:
            return Place(start.group, template.end_within(start.place, self._held))
        # The first group at whose end the buffer was full lies after ``low`` and at ``high`` at the latest.
        low, high, step = start.group, min(start.group + self._far, self._count - 1), 1
        while self._words(start, high) < self._held:
            if high == self._count - 1:
                return None
            low, high, step = high, min(high + step, self._count - 1), 2 * step
        step = 1
        while high - low > 1:
            middle = max(high - step, low + 1) if step < 4 else (low + high) // 2
            if self._words(start, middle) < self._held:
                low = middle
            else:
                high = middle
            step *= 2
        ends, row, shift = self._at(high)
        under = ends.under((start.group + 1) * self._width, high * self._width, row, shift)
        fresh = np.repeat(~under, self._layer.channels)
        self._drop_held(fresh, high, start)
        return self._full(high, ends, fresh, self._held - self._words(start, low))

    def _drop_held(self, fresh: np.ndarray, group: int, start: Place) -> None:
        """Marks those of a group's words that are not fresh, as they were asked for in the group of ``start``."""
        (began, row, shift), (ends, row_there, shift_there) = self._at(start.group), self._at(group)
        down, right = self._layer.strides
        keys = began.keys + (row - row_there) * down * self._layer.ifmap_width + (shift - shift_there) * right
        if not ends.keys.size:  # wholly outside of the input
            return
        at = np.minimum(ends.keys.searchsorted(keys), ends.keys.size - 1)
        common = ends.keys[at] == keys
        words = began.last.reshape(-1, self._layer.channels)[common]
        fresh.reshape(-1, self._layer.channels)[at[common]] &= words < start.place

    def _full(self, group: int, ends: Template, fresh: np.ndarray, wanted: int) -> Place:
        """The place after which so many of a group's fresh words were asked for."""
        new = np.flatnonzero(fresh[ends.order])
        return Place(group, int(ends.firsts[new[wanted - 1]]) + 1)

    def _end_in_next(self, start: Place) -> Place:
        """The same in the sweep after that of ``start``, which is full at the latest at its end."""
        layer, first = self._layer, (start.group + 1) * self._width
        total = self._words(start, self._count - 1)
        top = min(first // self._raster.cols * layer.strides[0], layer.ifmap_height)
        seen = np.zeros((layer.ifmap_height, layer.ifmap_width), bool)
        rows, cols = np.indices(seen[top:].shape)
        begin, end = self._raster.reach(rows.ravel() + top, cols.ravel())
        seen[top:] = ((end >= first) & (begin < self._windows)).any(0).reshape(seen[top:].shape)
        for group in range(self._count):
            template, row, shift = self._at(group)
            pixels = template.pixels(row, shift)
            fresh = np.repeat(~seen[pixels], layer.channels)
            self._drop_held(fresh, group, start)
            new = int(fresh.sum())
            if total + new >= self._held:
                return self._full(group, template, fresh, self._held - total)
            total += new
            seen[pixels] = True
        raise AssertionError("a sweep fills the buffer")
