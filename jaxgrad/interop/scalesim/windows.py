"""The ifmap of a convolution, whose windows share words: its fillings, and when its last word is asked for.

A word that several windows share is in the stream several times over. In os and is, fillings go group by group
(``groups.py``), in ws line by line (``lines.py``). Where the buffer is no wider than the array, pixels do
not all store the same channels, or a filling could ask for a word in two folds of ws, the stream has to be walked, in
numpy, a block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxgrad.interop.scalesim import distances
from jaxgrad.interop.scalesim.folds import Folds, Patch
from jaxgrad.interop.scalesim.groups import Groups
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.lines import Lines
from jaxgrad.interop.scalesim.read_buffer import Fillings, Group, fill, left_fillings
from jaxgrad.interop.scalesim.walk import ALWAYS_HELD, Block, walk

_BLOCK = 1 << 20  # places of the stream
_SHORT = 1000  # words of a filling on which a walk spends as long as on the calls that they take
_DEAR = 5
_MOST_WORDS = 250_000_000  # of the input, and windows: some GB of memory
MOST_PLACES = 100_000_000_000  # of the stream: an hour
_MANY_PLACES = 1 << 22  # of a sweep: fewer are walked in no time


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
        if layer.sparsity is not None:
            return self._different_stored
        rows = _touched(layer.ofmap_height, layer.strides[0], layer.filter_height, layer.ifmap_height)
        cols = _touched(layer.ofmap_width, layer.strides[1], layer.filter_width, layer.ifmap_width)
        return rows * cols * layer.channels

    @property
    def _different_stored(self) -> int:
        """The same, where not all places are stored."""
        layer = self.layer
        words = np.zeros((layer.ifmap_height, layer.ifmap_width, layer.channels), bool)
        for down, right, channel in zip(*self._places, strict=True):
            words[down :: layer.strides[0], right :: layer.strides[1], channel][
                : layer.ofmap_height, : layer.ofmap_width
            ] = True
        return int(np.count_nonzero(words))

    @property
    def countless(self) -> bool:
        """Whether the input or the stream is too large to walk."""
        height, width = self._covered
        m, _, k = self.layer.product
        places = m * k * (1 if self.folds.dataflow == "is" else self.folds.col_folds)
        return max(height * width * self.layer.channels, m, k) > _MOST_WORDS or places > MOST_PLACES

    @property
    def overlap(self) -> bool:
        layer = self.layer
        down, right = layer.strides
        return (layer.filter_height > down and layer.ofmap_height > 1) or (
            layer.filter_width > right and layer.ofmap_width > 1
        )

    @property
    def last_cycle(self) -> int:
        """Cycle in which the last word is asked for that is in the input."""
        folds, window = self.folds, self.last_windows
        place = np.arange(window.size)
        if folds.dataflow == "os":
            cycles = window // folds.rows * folds.cycles_each + window % folds.rows + place
            return int(cycles.max()) + (folds.count - folds.row_folds) * folds.cycles_each
        row_fold, within = np.divmod(place, folds.rows)
        if folds.dataflow == "ws":
            cycles = row_fold * folds.cycles_each + folds.rows + window + within
            return int(cycles.max()) + (folds.count - folds.row_folds) * folds.cycles_each
        fold = window // folds.cols * folds.row_folds + row_fold
        return int((fold * folds.cycles_each + folds.rows - 1 - within).max())

    @property
    def last_windows(self) -> np.ndarray:
        """For each place, the last window in which it is within the input."""
        layer = self.layer
        down, right, _ = self._places
        lowest = np.minimum(layer.ofmap_height - 1, (layer.ifmap_height - 1 - down) // layer.strides[0])
        rightmost = np.minimum(layer.ofmap_width - 1, (layer.ifmap_width - 1 - right) // layer.strides[1])
        return lowest * layer.ofmap_width + rightmost

    @property
    def addresses(self) -> tuple[np.ndarray, np.ndarray]:
        """Word of each window's corner, and how much further each stored place is."""
        row, col = self._corners
        down, right, channel = self._places
        _, width = self._covered
        return (row * width + col) * self.layer.channels, (down * width + right) * self.layer.channels + channel

    def fillings(self, held: int) -> Fillings:
        """How often a buffer of ``held`` words is filled."""
        folds = self.folds
        different = self.different
        if different < held:
            return Fillings(0, -1, different)
        sweeps, swept = (1, folds.count) if folds.dataflow == "is" else (folds.col_folds, folds.row_folds)
        widest = folds.cols if folds.dataflow == "is" else folds.rows
        if self.overlap and widest < held and self.layer.sparsity is None:
            if folds.dataflow != "ws":
                return Groups(self.layer, folds, held).fillings(sweeps)
            if self._far_apart(held):
                return left_fillings(folds, held)
            m, _, k = self.layer.product
            by_lines = Lines(self.layer, folds, held).fillings(sweeps) if m * k > _MANY_PLACES else None
            if by_lines is not None:
                return by_lines
        if self.overlap or max(folds.rows, folds.cols) >= held:
            return self.walked(held)

        def cycle(group: Group, sweep: int, word: int) -> int:
            return sweep * swept * folds.cycles_each + self._cycle_of(word)

        return fill([Group(different, sweeps, 0)], held, 1, cycle)

    def walked(self, held: int) -> Fillings:
        """The same, of a buffer that a sweep fills, place by place."""
        folds = self.folds
        sweeps, swept = (1, folds.count) if folds.dataflow == "is" else (folds.col_folds, folds.row_folds)
        cycles = swept * folds.cycles_each
        # Distances cost some five times what a walk over long fillings does, but once, and short ones cost less.
        m, _, k = self.layer.product
        if sweeps * (1 + _SHORT / held) < _DEAR or m * k > distances.MOST_PLACES:
            return walk(self.empty_buffer(), self.stream, sweeps, cycles, held)
        widest = folds.cols if folds.dataflow == "is" else folds.rows
        return distances.by_distances(self.empty_buffer(), self.stream, sweeps, cycles, held, widest)

    def _far_apart(self, held: int) -> bool:
        """Whether in ws no word comes again while a buffer is filled: at least ``held`` places later, in this fold or
        in another."""
        layer, folds = self.layer, self.folds
        if layer.overhangs:
            return False
        down, right = layer.strides
        # Within a fold, two places of a window that have a channel in common meet the same words some windows apart.
        first, second = np.triu_indices(layer.filter_height * layer.filter_width, 1)
        columns = (second - first) * layer.channels
        rows, cols = second // layer.filter_width - first // layer.filter_width, second % layer.filter_width
        cols = cols - first % layer.filter_width
        meet = (columns < folds.rows) & (rows % down == 0) & (cols % right == 0)
        lines = np.abs(columns - rows // down * layer.ofmap_width - cols // right)[meet]
        # Of two folds, the windows at the end of one, and those at the beginning of the next.
        apart = (layer.filter_height - 1) // down * layer.ofmap_width + (layer.filter_width - 1) // right
        least = min(lines.min(initial=layer.product.m), layer.product.m - apart - folds.rows) - 1
        return int(least) * folds.used_rows(-1) >= held

    def empty_buffer(self) -> np.ndarray:
        """The filling in which each word was last asked for: none, save for words outside the input, which never are.

        Words are numbered by row, column and channel of an input large enough for every window.
        """
        layer = self.layer
        height, width = self._covered
        buffer = np.zeros((height, width, layer.channels), np.int32)
        buffer[layer.ifmap_height :] = ALWAYS_HELD
        buffer[:, layer.ifmap_width :] = ALWAYS_HELD
        return buffer.ravel()

    def stream(self) -> Iterator[Block]:
        """One sweep over the folds, in the order of the array's requests."""
        folds = self.folds
        corner, offset = self.addresses
        if folds.dataflow != "is":
            still, moving = (offset, corner) if folds.dataflow == "os" else (corner, offset)
            for first, last in _alike(folds.row_folds):
                patch = folds.streamed_over_rows(first)
                lines = _lines_a_part(patch)
                # A fold of several parts ends before the next begins; those of one part go through together.
                together = last - first if patch.length + patch.width - 1 <= lines else 1
                for start in range(first, last, together):
                    for line, time, edge in _skewed(patch, lines):
                        yield from _blocks(folds, start, start + together, line, still[time], moving, edge)
            return
        # A column of folds loads every place of its windows, from the last row of each fold up.
        k = self.layer.product.k
        fold, line = np.divmod(np.arange(k), folds.rows)
        used = np.minimum(folds.rows, k - fold * folds.rows)
        offset = offset[fold * folds.rows + used - 1 - line]
        line += fold * folds.cycles_each + folds.rows - used
        cycles = folds.row_folds * folds.cycles_each
        for first, last in _alike(folds.col_folds):
            width = folds.used_cols(first)
            part = max(1, _BLOCK // width)
            many = max(1, part // k)
            for start in range(first, last, many):
                together = min(many, last - start)
                windows = corner[start * folds.cols :][: together * width].reshape(together, 1, width)
                for top in range(0, k, part):
                    words = windows + offset[top : top + part, None]
                    yield Block(words.ravel(), np.repeat(line[top : top + part], width), start, cycles)

    def _cycle_of(self, word: int) -> int:
        """Cycle of the word of that index among those within the input, counted from the start of the sweep."""
        buffer = self.empty_buffer()
        for block in self.stream():
            inside = np.flatnonzero(buffer[block.words] != ALWAYS_HELD)
            if word < inside.size:
                return block.cycle(int(inside[word]))
            word -= inside.size
        raise IndexError(word)

    @property
    def _covered(self) -> tuple[int, int]:
        """Height and width of an input that no window leaves."""
        layer = self.layer
        height = (layer.ofmap_height - 1) * layer.strides[0] + layer.filter_height
        width = (layer.ofmap_width - 1) * layer.strides[1] + layer.filter_width
        return max(height, layer.ifmap_height), max(width, layer.ifmap_width)

    @property
    def _corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of each window's corner."""
        layer = self.layer
        row, col = np.divmod(np.arange(layer.ofmap_height * layer.ofmap_width), layer.ofmap_width)
        return row * layer.strides[0], col * layer.strides[1]

    @property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column and channel of each place within a window that is stored."""
        layer = self.layer
        place = np.arange(layer.window)
        if layer.sparsity is not None:
            place = place[place % layer.sparsity.block < layer.sparsity.kept]
        pixel, channel = np.divmod(place, layer.channels)
        down, right = np.divmod(pixel, layer.filter_width)
        return down, right, channel


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


def _lines_a_part(patch: Patch) -> int:
    return max(1, _BLOCK // patch.width)


def _skewed(patch: Patch, part: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Line, row and column of each word of a skewed patch, in order; in parts of so many lines."""
    col = np.arange(patch.width)
    lines = patch.length + patch.width - 1
    for start in range(0, lines, part):
        line = np.arange(start, min(start + part, lines))[:, None]
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
) -> Iterator[Block]:
    """The blocks of folds from ``first`` up to ``last``, of which ``line``, ``still`` and ``edge`` tell one.

    A place asks for the word ``still + moving[edge]``; from fold to fold ``edge`` moves by the array's rows.
    """
    many = max(1, _BLOCK // line.size)
    for start in range(first, last, many):
        moved = np.arange(start, min(start + many, last))[:, None] * folds.rows
        words = still + moving[moved + edge]
        yield Block(words.ravel(), line, start, folds.cycles_each)
