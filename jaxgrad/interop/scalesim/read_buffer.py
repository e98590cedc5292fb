"""DRAM reads of an operand, fetch by fetch, as SCALE-Sim's read buffer of CALC mode makes them.

The buffer keeps the words it was asked for until it has ``capacity`` different ones; then it forgets all and begins
anew. What an operand reads from DRAM is every word the buffer does not hold when asked. The words of one filling are
fetched during the filling before it, those of the first before the layer starts, at ten words a cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from jaxgrad.interop.scalesim.folds import Folds, Patch
from jaxgrad.interop.scalesim.traffic import WORDS_PER_KB, Traffic

_SETS, _ACTIVE_SETS = 100, 50
_FIRST_FETCH = 10  # words a cycle


class Fillings(NamedTuple):
    """How often a buffer was filled.

    Args:
        count: times it was filled to capacity, and forgot.
        last: cycle in which it was last; -1 if never.
        rest: words asked for since.
        clash: whether it was filled twice within one cycle, on which SCALE-Sim divides by zero.
    """

    count: int
    last: int
    rest: int
    clash: bool = False


class Requests(NamedTuple):
    """What the array asks of an operand.

    Args:
        first, last: cycles of the first and the last word.
        words: as SCALE-Sim counts them.
        fillings: of the operand's buffer.
    """

    first: int
    last: int
    words: float
    fillings: Fillings

    @property
    def sram(self) -> Traffic:
        """The traffic with the array: each word comes a cycle after it was asked for."""
        return Traffic(self.first + 1, self.last + 1, self.words)


class Group(NamedTuple):
    """A sweep over words that are all different, repeated; different groups have no word in common.

    Args:
        words: of one sweep.
        sweeps: how often.
        start: fold in which the first begins.
    """

    words: int
    sweeps: int
    start: int


def set_words(size_kb: int) -> int:
    """Words of a set, of which there are a hundred: SCALE-Sim counts a buffer's content in sets."""
    return size_kb * WORDS_PER_KB // _SETS


def capacity(size_kb: int) -> int:
    """Different words after which the buffer forgets: half of its sets are active."""
    return _ACTIVE_SETS * set_words(size_kb)


def traffic(requests: Requests, size_kb: int) -> Traffic:
    """DRAM traffic of an operand."""
    words, fillings = set_words(size_kb), requests.fillings
    if not fillings.count:
        sets = -(-fillings.rest // words)
        return Traffic(-sets * words // _FIRST_FETCH, -1, fillings.rest)
    held = capacity(size_kb)
    start = requests.first - -(-held // _FIRST_FETCH)
    return Traffic(start, fillings.last + 1, fillings.count * held + fillings.rest)


def left_fillings(folds: Folds, held: int) -> Fillings:
    """Of the operand that streams in at the left: the same words again for every fold of the columns."""
    rows, _, streamed = folds.mapped
    tile = folds.rows * streamed

    def cycle(group: Group, sweep: int, word: int) -> int:
        row_fold, rest = divmod(word, tile)
        fold = sweep * folds.row_folds + row_fold
        return fold * folds.cycles_each + folds.streamed_over_rows(row_fold).cycle(rest)

    group = Group(rows * streamed, folds.col_folds, 0)
    return fill([group], held, folds.rows, cycle)


def top_fillings(folds: Folds, held: int) -> Fillings:
    """Of the filter in os, which streams in at the top: the same words again for every fold of the rows."""

    def cycle(group: Group, sweep: int, word: int) -> int:
        col_fold = group.start // folds.row_folds
        return (group.start + sweep) * folds.cycles_each + folds.streamed_over_cols(col_fold).cycle(word)

    groups = (
        Group(folds.streamed_over_cols(fold).words, folds.row_folds, fold * folds.row_folds)
        for fold in range(folds.col_folds)
    )
    return fill(groups, held, folds.cols, cycle)


def stationary_fillings(folds: Folds, held: int) -> Fillings:
    """Of the operand that stays in the array: every word once."""
    rows, cols, _ = folds.mapped

    def cycle(group: Group, sweep: int, word: int) -> int:
        col_fold, rest = divmod(word, rows * folds.cols)
        row_fold, rest = divmod(rest, folds.rows * folds.used_cols(col_fold))
        fold = col_fold * folds.row_folds + row_fold
        patch: Patch = folds.stationary(row_fold, col_fold)
        return fold * folds.cycles_each + patch.cycle(rest)

    return fill([Group(rows * cols, 1, 0)], held, folds.cols, cycle)


def fill(groups: Iterable[Group], held: int, widest: int, cycle: Callable[[Group, int, int], int]) -> Fillings:
    """Walks the groups; each filling on its own only where a line of the array is as wide as the buffer."""
    count, last, rest, clash = 0, -1, 0, False
    for group in groups:
        if rest + group.words < held:
            rest += group.words
            continue
        first = held - rest
        total = group.words * group.sweeps
        # A sweep that the buffer holds is read once after it forgot; a longer one is never in it when asked for.
        again = (total - first) // held if group.words >= held else 0
        fills = range(first, first + again * held + 1, held)
        for position in fills if widest >= held else fills[-1:]:
            sweep, word = divmod(position - 1, group.words)
            now = cycle(group, sweep, word)
            clash = clash or now == last
            last = now
        count += len(fills)
        rest = total - fills[-1] if group.words >= held else min(group.words, total - first)
    return Fillings(count, last, rest, clash)
