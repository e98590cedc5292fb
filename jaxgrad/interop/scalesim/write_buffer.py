"""DRAM writes of the ofmap, drain by drain, as SCALE-Sim's write buffer makes them.

The buffer holds 1024 words a kB. Once more than half of them are in use, half is drained, one line of as many words
as the array has columns a cycle; while a drain lasts, none begins. A drain closes the line that is being filled, which
later counts as full although it is not: SCALE-Sim takes empty places off the last line of each drain alone.

No write ever waits. Let D be half the buffer, C the columns and L = ceil(D / C) the lines of a drain. A drain begins
when at most max(D + 1, L C) words are in use, frees at least (L - 1) C + 1, and takes in at most (L - 1) C before the
next may begin; so that with C < D fewer than 2 D are in use at all times, and with C >= D a drain ends in the cycle in
which it began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.traffic import WORDS_PER_KB, Traffic


def half(size_kb: int) -> int:
    """Words that a drain empties, of a buffer of ``size_kb``."""
    return size_kb * WORDS_PER_KB // 2


def writes(folds: Folds, drained: int) -> Traffic:
    """Traffic of the ofmap with a buffer of which a drain empties ``drained`` words, its half.

    Words come alike line after line of a fold, and fold after fold. Once a drain finds the buffer as an earlier one
    did, at the same place of such a period, all goes on as from there, and whole periods are passed over.
    """
    lines = _Lines(folds.cols, -(-drained // folds.cols))
    stream = _Written(folds)
    reach = lines.drained * folds.cols  # words that may come while a drain lasts
    marks: dict[int, tuple[_Alike, dict[tuple[object, ...], tuple[int, int]]]] = {}
    first, last, counted = -1, -1, 0
    in_use, done, word = 0, 0, drained
    while word < stream.words:
        for level, alike in enumerate(stream.alike(word)):
            if not alike.first <= word < alike.last - reach:
                continue
            if level not in marks or marks[level][0] != alike:
                marks[level] = alike, {}
            state = (word - alike.first) % alike.period, word - done, in_use, *lines.runs
            before, then = marks[level][1].setdefault(state, (word, counted))
            if before < word:
                passed = (alike.last - reach - 1 - word) // (word - before)
                counted += passed * (counted - then)
                done += passed * (word - before)
                word += passed * (word - before)
        cycle = stream.cycle(word)
        lines.add(word + 1 - done)
        in_use, done = in_use + word + 1 - done, word + 1
        taken, count = lines.take()
        first = cycle if first < 0 else first
        last = cycle + taken - 1
        counted += count
        in_use -= count
        word = max(done, done + drained - in_use, stream.before(last))
    lines.add(stream.words - done)
    cycle = folds.cycles - 1
    while lines.runs:
        taken, count = lines.take()
        first = cycle if first < 0 else first
        last = max(last, cycle + taken - 1)
        counted += count
        cycle += taken
    return Traffic(first, last, counted)


class _Alike(NamedTuple):
    """Words from ``first`` up to ``last`` of a stream, of which each ``period`` comes as the one before it."""

    first: int
    last: int
    period: int


class _Lines:
    """Lines yet to be drained: runs of words, each begun on a new line."""

    def __init__(self, width: int, drained: int) -> None:
        self._width = width
        self.drained = drained
        self.runs: deque[int] = deque()

    def add(self, words: int) -> None:
        if words:
            self.runs.append(words)

    def take(self) -> tuple[int, int]:
        """Takes one drain's lines; how many there were, and the words that SCALE-Sim counts in them."""
        taken, empty = 0, 0
        while self.runs and taken < self.drained:
            words = self.runs.popleft()
            held = -(-words // self._width)
            if held > self.drained - taken:
                held = self.drained - taken
                self.runs.appendleft(words - held * self._width)
                empty = 0
            else:
                empty = held * self._width - words
            taken += held
        return taken, taken * self._width - empty


class _Written:
    """The stream of written words, over all folds."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds
        rows, _, _ = folds.mapped
        # Words a column of the array writes in all the folds above each other, and in one of them, edge folds aside.
        self._column = rows if folds.dataflow == "os" else folds.row_folds * folds.mapped[2]
        self._column_of_fold = folds.rows if folds.dataflow == "os" else folds.mapped[2]
        self.words = self._column * folds.mapped[1]

    def cycle(self, word: int) -> int:
        """Cycle in which the word of that index is written."""
        folds = self._folds
        col_fold, rest = divmod(word, self._column * folds.cols)
        row_fold, rest = divmod(rest, self._column_of_fold * folds.used_cols(col_fold))
        fold = col_fold * folds.row_folds + row_fold
        return fold * folds.cycles_each + folds.written(row_fold, col_fold).cycle(rest)

    def before(self, cycle: int) -> int:
        """Words written before ``cycle``."""
        folds = self._folds
        fold, rest = divmod(cycle, folds.cycles_each)
        if fold >= folds.count:
            return self.words
        col_fold, row_fold = divmod(fold, folds.row_folds)
        above = row_fold * self._column_of_fold * folds.used_cols(col_fold)
        return col_fold * self._column * folds.cols + above + folds.written(row_fold, col_fold).before(rest)

    def alike(self, word: int) -> Iterator[_Alike]:
        """Ranges around that word in which the stream repeats: lines of a fold, folds, columns of folds."""
        folds = self._folds
        column = self._column * folds.cols
        col_fold = word // column
        start = col_fold * column
        of_fold = self._column_of_fold * folds.used_cols(col_fold)
        row_fold = (word - start) // of_fold
        patch = folds.written(row_fold, col_fold)
        short, long = sorted((patch.length, patch.width))
        full = start + row_fold * of_fold + short * (short - 1) // 2
        yield _Alike(full, full + (long - short + 1) * short, short)
        above = (folds.col_folds - 1) * column  # words of all columns of folds but the last
        if folds.dataflow == "os":
            yield _Alike(start, start + (folds.row_folds - 1) * of_fold, of_fold)
            yield _Alike(0, above, column)
        elif word < above:
            yield _Alike(0, above, of_fold)
        else:
            yield _Alike(above, self.words, of_fold)
