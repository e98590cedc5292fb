"""The ifmap of a convolution, whose windows share words: its fillings, and when its last word is asked for.

A word that several windows share is in the stream several times over, so that only a walk along the stream tells when the
buffer is full. It goes in numpy, a block at a time, and stops as soon as two sweeps leave the buffer in the same state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxgrad.scalesim.folds import Folds, Patch
from jaxgrad.scalesim.layers import Layer
from jaxgrad.scalesim.read_buffer import Fillings, Group, fill

_BLOCK = 1 << 20  # places of the stream
_LEAST_AHEAD = 1 << 12
_ALWAYS_HELD = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Windows:
    """The windows of a layer.

    Args:
        layer: without padding, as SCALE-Sim takes it.
        folds: of its GEMM.
    """

    layer: Layer
    folds: Folds

    @property
    def different(self) -> int:
        """Different words in all windows: touched rows times touched columns, times channels."""
        layer = self.layer
        rows = _touched(layer.ofmap_height, layer.stride, layer.filter_height, layer.ifmap_height)
        cols = _touched(layer.ofmap_width, layer.stride, layer.filter_width, layer.ifmap_width)
        return rows * cols * layer.channels

    @property
    def overlap(self) -> bool:
        layer = self.layer
        return (layer.filter_height > layer.stride and layer.ofmap_height > 1) or (
            layer.filter_width > layer.stride and layer.ofmap_width > 1
        )

    @property
    def last_cycle(self) -> int:
        """Cycle in which the last word is asked for that is in the input."""
        layer, folds = self.layer, self.folds
        if folds.dataflow == "os":
            # For each window, its last place within the input; none if the window is wholly outside.
            row, col = self._corners
            high = np.minimum(layer.filter_height, layer.ifmap_height - row)
            wide = np.minimum(layer.filter_width, layer.ifmap_width - col)
            place = ((high - 1) * layer.filter_width + wide) * layer.channels - 1
            window = np.arange(row.size)
            cycles = window // folds.rows * folds.cycles_each + window % folds.rows + place
            return int(cycles[(high > 0) & (wide > 0)].max()) + (folds.count - folds.row_folds) * folds.cycles_each
        # For each place, the last window in which it is within the input.
        down, right, _ = self._places
        lowest = np.minimum(layer.ofmap_height - 1, (layer.ifmap_height - 1 - down) // layer.stride)
        rightmost = np.minimum(layer.ofmap_width - 1, (layer.ifmap_width - 1 - right) // layer.stride)
        window = lowest * layer.ofmap_width + rightmost
        row_fold, within = np.divmod(np.arange(down.size), folds.rows)
        if folds.dataflow == "ws":
            cycles = row_fold * folds.cycles_each + folds.rows + window + within
            return int(cycles.max()) + (folds.count - folds.row_folds) * folds.cycles_each
        fold = window // folds.cols * folds.row_folds + row_fold
        return int((fold * folds.cycles_each + folds.rows - 1 - within).max())

    def fillings(self, held: int) -> Fillings:
        """How often a buffer of ``held`` words is filled."""
        folds = self.folds
        different = self.different
        if different < held:
            return Fillings(0, -1, different)
        sweeps, each = (1, folds.count) if folds.dataflow == "is" else (folds.col_folds, folds.row_folds)
        if self.overlap or max(folds.rows, folds.cols) >= held:
            return _walk(self, sweeps, each * folds.cycles_each, held)

        def cycle(group: Group, sweep: int, word: int) -> int:
            return sweep * each * folds.cycles_each + self._cycle_of(word)

        return fill([Group(different, sweeps, 0, each)], held, 1, cycle)

    def empty_buffer(self) -> np.ndarray:
        """The filling in which each word was last asked for: none, save for words outside the input, which never are.

        Words are numbered by row, column and channel of an input large enough for every window.
        """
        layer = self.layer
        height, width = self._covered
        buffer = np.zeros((height, width, layer.channels), np.int64)
        buffer[layer.ifmap_height :] = _ALWAYS_HELD
        buffer[:, layer.ifmap_width :] = _ALWAYS_HELD
        return buffer.ravel()

    def stream(self) -> Iterator[Block]:
        """One sweep over the folds, in the order of the array's requests."""
        folds = self.folds
        row, col = self._corners
        down, right, channel = self._places
        _, width = self._covered
        corner = (row * width + col) * self.layer.channels
        offset = (down * width + right) * self.layer.channels + channel
        if folds.dataflow != "is":
            still, moving = (offset, corner) if folds.dataflow == "os" else (corner, offset)
            for first, last in _alike(folds.row_folds):
                patch = folds.streamed_over_rows(first)
                for line, time, edge in _skewed(patch):
                    yield from _blocks(folds, first, last, line, still[time], moving, edge)
            return
        for col_fold in range(folds.col_folds):
            windows = corner[col_fold * folds.cols :][: folds.used_cols(col_fold)]
            above = col_fold * folds.row_folds
            for first, last in _alike(folds.row_folds):
                patch = folds.stationary(first, col_fold)
                line = np.repeat(np.arange(patch.length), patch.width)
                still = np.tile(windows, patch.length)
                edge = patch.length - 1 - line
                yield from _blocks(folds, first, last, line + patch.first, still, offset, edge, above)

    def _cycle_of(self, word: int) -> int:
        """Cycle of the word of that index among those within the input, counted from the start of the sweep."""
        buffer = self.empty_buffer()
        for block in self.stream():
            inside = np.flatnonzero(buffer[block.words] != _ALWAYS_HELD)
            if word < inside.size:
                return block.cycle(int(inside[word]))
            word -= inside.size
        raise IndexError(word)

    @property
    def _covered(self) -> tuple[int, int]:
        """Height and width of an input that no window leaves."""
        layer = self.layer
        height = (layer.ofmap_height - 1) * layer.stride + layer.filter_height
        width = (layer.ofmap_width - 1) * layer.stride + layer.filter_width
        return max(height, layer.ifmap_height), max(width, layer.ifmap_width)

    @property
    def _corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of each window's corner."""
        layer = self.layer
        row, col = np.divmod(np.arange(layer.ofmap_height * layer.ofmap_width), layer.ofmap_width)
        return row * layer.stride, col * layer.stride

    @property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column and channel of each place within a window."""
        layer = self.layer
        place, channel = np.divmod(np.arange(layer.product.k), layer.channels)
        down, right = np.divmod(place, layer.filter_width)
        return down, right, channel


@dataclass(frozen=True)
class Block:
    """Consecutive places of the stream, over one or more folds that are alike.

    Args:
        words: asked for, fold after fold.
        lines: cycle of each, counted from its fold's start; for one fold, as the others are alike.
        fold: the first.
        cycles_each: of a fold.
    """

    words: np.ndarray
    lines: np.ndarray
    fold: int
    cycles_each: int

    def cycle(self, place: int) -> int:
        """Cycle of that place, counted from the start of the sweep."""
        fold, within = divmod(place, self.lines.size)
        return (self.fold + fold) * self.cycles_each + int(self.lines[within])


def _touched(windows: int, stride: int, size: int, limit: int) -> int:
    """Rows (or columns) of the input that some window covers."""
    corners = np.arange(windows) * stride
    reach = np.minimum(size, limit - corners).clip(0)
    if size > stride:  # the windows join
        return int((corners + reach)[reach > 0].max())
    return int(reach.sum())


def _alike(folds: int) -> Iterator[tuple[int, int]]:
    """Ranges of folds of one shape: all but the last, and the last."""
    if folds > 1:
        yield 0, folds - 1
    yield folds - 1, folds


def _skewed(patch: Patch) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Line, row and column of each word of a skewed patch, in order; several parts for a large patch."""
    col = np.arange(patch.width)
    lines = patch.length + patch.width - 1
    step = max(1, _BLOCK // patch.width)
    for start in range(0, lines, step):
        line = np.arange(start, min(start + step, lines))[:, None]
        row = line - col
        real = (row >= 0) & (row < patch.length)
        index = np.flatnonzero(real)
        line_of, col_of = np.divmod(index, patch.width)
        yield line_of + start + patch.first, line_of + start - col_of, col_of


def _blocks(
    folds: Folds,
    first: int,
    last: int,
    line: np.ndarray,
    still: np.ndarray,
    moving: np.ndarray,
    edge: np.ndarray,
    above: int = 0,
) -> Iterator[Block]:
    """The blocks of folds from ``first`` up to ``last``, of which ``line``, ``still`` and ``edge`` tell one.

    A place asks for the word ``still + moving[edge]``; from fold to fold ``edge`` moves by the array's rows.
    """
    many = max(1, _BLOCK // line.size)
    for start in range(first, last, many):
        moved = np.arange(start, min(start + many, last))[:, None] * folds.rows
        words = still + moving[moved + edge]
        yield Block(words.ravel(), line, above + start, folds.cycles_each)


def _walk(windows: Windows, sweeps: int, cycles: int, held: int) -> Fillings:
    """Fillings of a buffer along ``sweeps`` sweeps of ``cycles`` cycles each."""
    buffer = windows.empty_buffer()
    order = np.zeros(buffer.size, np.int64)
    ahead_of = max(2 * held, _LEAST_AHEAD)
    filling, count, rest, last, clash, sweep, began = 1, 0, 0, -1, False, 0, 0
    seen: dict[int, tuple[int, int]] = {}
    while sweep < sweeps:
        passed = 0
        for block in windows.stream():
            start = 0
            while start < block.words.size:
                ahead = block.words[start : start + ahead_of]
                new = np.flatnonzero(buffer[ahead] < filling)
                asked = ahead[new]
                order[asked[::-1]] = new[::-1]  # of several places of one word, the first is written last
                new = new[order[asked] == new]
                if rest + new.size < held:
                    buffer[ahead[new]] = filling
                    rest += new.size
                    start += ahead.size
                    continue
                start += int(new[held - rest - 1]) + 1
                now = sweep * cycles + block.cycle(start - 1)
                clash = clash or now == last
                filling, count, rest, last, began = filling + 1, count + 1, 0, now, passed + start
            passed += block.words.size
        sweep += 1
        # What the buffer holds follows from where in the sweep it last forgot: from there on, all goes as it went before.
        if began in seen:
            before, filled = seen[began]
            period = sweep - before
            skipped = (sweeps - sweep) // period
            count += skipped * (count - filled)
            last += skipped * period * cycles
            sweep += skipped * period
        seen[began] = (sweep, count)
    return Fillings(count, last, rest, clash)
