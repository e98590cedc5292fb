"""A source of text whose entropy is known: words drawn one by one, a space after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int


@dataclass(frozen=True)
class Words:
    """Words, each drawn independently of those before it: the one at place i, from 1, with a share of 1 / i (Zipf's).

    It is a Markov chain whose states are the places in the words; a character may stand at several of them, so that
    who reads learns bit by bit where in which word it is.

    Args:
        words: all different, of letters alone.
    """

    words: tuple[str, ...]

    @cached_property
    def shares(self) -> Float64[np.ndarray, " words"]:
        """How often each word is drawn."""
        weights = 1 / np.arange(1, len(self.words) + 1)
        return weights / weights.sum()

    @property
    def entropy(self) -> float:
        """Nats a character of a text without end: a word's entropy over the mean length of a word and its space.

        >>> Words(("a",)).entropy
        0.0
        """
        lengths = [len(word) + 1 for word in self.words]
        return float(-(self.shares @ np.log(self.shares)) / (self.shares @ lengths)) + 0.0

    def text(self, characters: int, seed: int = 0) -> str:
        """A text of so many characters.

        >>> Words(("ab", "c")).text(12)
        'ab ab ab ab '

        Args:
            characters: how many.
            seed: of the draws.
        """
        generator = np.random.Generator(np.random.PCG64(seed))
        count = characters // (min(map(len, self.words)) + 1) + 1
        drawn = generator.choice(len(self.words), size=count, p=self.shares)
        return "".join(f"{self.words[index]} " for index in drawn)[:characters]

    def least_loss(self, windows: Int[np.ndarray, "n tokens"], alphabet: Sequence[str]) -> float:
        """Mean loss, in nats, of the best prediction of each character but the first from those before it in its
        window: by the law of the place in the words given them.

        Args:
            windows: of a text of this source, each character by its place in ``alphabet``.
            alphabet: the characters.
        """
        emitted, law, moves = self._chain(alphabet)
        belief = law * (emitted == windows[:, :1])
        belief /= belief.sum(axis=1, keepdims=True)
        total = 0.0
        for column in windows.T[1:]:
            belief = (belief @ moves) * (emitted == column[:, np.newaxis])
            share = belief.sum(axis=1, keepdims=True)  # of this character, given those before
            total -= np.log(share).sum()
            belief /= share
        return float(total / windows[:, 1:].size)

    def _chain(self, alphabet: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each state its character, its share in a text without end, and the shares of the states after it."""
        place = {character: index for index, character in enumerate(alphabet)}
        emitted = np.asarray([place[" "], *(place[character] for word in self.words for character in word)])
        moves = np.zeros((len(emitted), len(emitted)))
        law = np.zeros(len(emitted))
        law[0] = 1  # the space, between two words
        start = 1
        for word, share in zip(self.words, self.shares, strict=True):
            end = start + len(word)
            moves[0, start] = share
            moves[range(start, end), [*range(start + 1, end), 0]] = 1
            law[start:end] = share
            start = end
        return emitted, law / law.sum(), moves


ENGLISH = Words(
    (
        *("the", "of", "and", "to", "in", "a", "is", "that", "it", "was", "for", "on", "are"),
        *("as", "with", "his", "they", "at", "be", "this", "have", "from", "or", "one", "had", "by"),
    )
)
"""Twenty-six of the most frequent words of English, the most frequent ones first."""
