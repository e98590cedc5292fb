"""Exactly optimal contiguous partitions of a chain: least period, then fewest words moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int

from jaxgrad.base.errors import InputError, boolean, positive_integer, positive_number
from jaxgrad.pipelines.chain import Chain

_NEVER = np.int64(2**61)


@dataclass(frozen=True)
class Link:
    """What connects neighbouring arrays: a wire each way.

    Args:
        words_per_cycle: that a wire carries in a unit of the tasks' time.
        overlapped: whether an array works while its words leave (its buffers are double), or waits for them.
    """

    words_per_cycle: float
    overlapped: bool = True

    def __post_init__(self) -> None:
        positive_number("words_per_cycle", self.words_per_cycle)
        boolean("overlapped", self.overlapped)

    def time(self, words: Int[np.ndarray, "..."] | int) -> Int[np.ndarray, "..."]:
        """Time that words take, rounded up."""
        return np.ceil(np.asarray(words) / self.words_per_cycle).astype(np.int64)


@dataclass(frozen=True)
class Partition:
    """Which atoms each array has.

    Args:
        chain: what is cut.
        cuts: where, both ends of the chain included: array s has the atoms from ``cuts[s]`` to ``cuts[s + 1]``.
        period: of the slowest array, with what it waits for its words.
    """

    chain: Chain
    cuts: tuple[int, ...]
    period: int

    @property
    def stages(self) -> int:
        return len(self.cuts) - 1

    @property
    def times(self) -> tuple[int, ...]:
        """What each array computes for."""
        return tuple(int(self.chain.loads[start, stop]) for start, stop in pairwise(self.cuts))

    @property
    def words(self) -> tuple[int, ...]:
        """What crosses each link between neighbours in a step, both directions together."""
        return tuple(int(self.chain.cut_words[cut]) for cut in self.cuts[1:-1])

    def stage_of(self, place: int) -> int:
        """The array that has an atom."""
        return int(np.searchsorted(self.cuts, place, side="right")) - 1


def partitions(chain: Chain, most: int, link: Link | None = None) -> list[Partition]:
    """The best partition onto 1, 2, ... ``most`` arrays.

    Least period first, then fewest words over all links. Dynamic programming over the chain's cuts: the least period
    of each prefix and of each suffix, and then the fewest words among partitions through cuts that keep to it.

    Args:
        chain: what is cut.
        most: arrays.
        link: what words between arrays take; None for nothing.

    Raises:
        InputError: there are more arrays than atoms.
    """
    positive_integer("processors", most)
    last = len(chain.atoms)
    if most > last:
        what = {"layers": "layers", "passes": "passes", "halves": "passes and halves of them"}[chain.grain]
        raise InputError("processors", most, f"give at most {last}: the network has so many {what} to distribute")
    period = _periods(chain, link)
    before, after = _prefixes(period, most), _prefixes(period[::-1, ::-1].T, most)
    by_period: dict[int, list[int]] = {}
    for arrays in range(1, most + 1):
        by_period.setdefault(int(before[arrays][last]), []).append(arrays)
    found: dict[int, Partition] = {}
    for least, counts in by_period.items():
        # A cut can be the one after so many arrays if what is before it and what is after it keep to the period.
        levels = [
            np.flatnonzero(
                (before[done] <= least) & np.any([after[n - done][::-1] <= least for n in counts if n >= done], axis=0)
            )
            for done in range(counts[-1] + 1)
        ]
        cuts = _fewest_words(chain, levels, period <= least, counts)
        found |= {arrays: Partition(chain, cuts[arrays], least) for arrays in counts}
    return [found[arrays] for arrays in range(1, most + 1)]


def _periods(chain: Chain, link: Link | None) -> Int[np.ndarray, "cuts cuts"]:
    """Time that an array is busy with the atoms from one cut to a later one; for none, never."""
    period = chain.loads
    if link is not None:
        # An array sends cotangents to the left and activations to the right.
        left, right = link.time(chain.backward_words)[:, None], link.time(chain.forward_words)[None, :]
        period = np.maximum(period, np.maximum(left, right)) if link.overlapped else period + left + right
    places = np.arange(len(period))
    return np.where(places[:, None] < places[None, :], period, _NEVER)


def _prefixes(period: Int[np.ndarray, "cuts cuts"], most: int) -> list[Int[np.ndarray, " cuts"]]:
    """The least period of the atoms up to each cut, on 0, 1, ... arrays."""
    found = [np.full(len(period), _NEVER)]
    found[0][0] = 0
    slower = np.empty_like(period)
    for _ in range(most):
        np.maximum(found[-1][:, None], period, out=slower)
        found.append(slower.min(axis=0))
    return found


def _fewest_words(
    chain: Chain, levels: list[Int[np.ndarray, " places"]], keeps: Bool[np.ndarray, "cuts cuts"], counts: Sequence[int]
) -> dict[int, tuple[int, ...]]:
    """For each number of arrays the cuts of fewest words, one of each level.

    Args:
        chain: what is cut.
        levels: by how many arrays are before it, the places where a cut may be.
        keeps: whether the array from one cut to another keeps to the period.
        counts: numbers of arrays.
    """
    words, came = np.zeros(1, np.int64), []
    for former, latter in pairwise(levels):
        moved = words + chain.cut_words[former]
        options = np.where(keeps[np.ix_(former, latter)], moved[:, None], _NEVER)
        came.append(options.argmin(axis=0))
        words = np.minimum(options.min(axis=0), _NEVER)
    found = {}
    for arrays in counts:
        place = len(levels[arrays]) - 1  # the chain's end
        cuts = [int(levels[arrays][place])]
        for level in range(arrays - 1, -1, -1):
            place = int(came[level][place])
            cuts.append(int(levels[level][place]))
        found[arrays] = tuple(cuts[::-1])
    return found
