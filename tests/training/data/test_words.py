"""The source of words: its text, its entropy, and the best prediction there is, by independent sums."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from jaxgrad.training.data.words import ENGLISH, Words

SMALL = Words(("ab", "a", "ba"))
ALPHABET = [" ", "a", "b"]


def test_a_text_is_words_drawn_by_zipfs_shares() -> None:
    text = ENGLISH.text(200_000)
    counts = Counter(text.split(" ")[:-1])
    assert set(counts) == set(ENGLISH.words)
    shares = [counts[word] / sum(counts.values()) for word in ENGLISH.words]
    np.testing.assert_allclose(shares, ENGLISH.shares, atol=0.004)
    assert ENGLISH.shares[0] == pytest.approx(2 * ENGLISH.shares[1]) == pytest.approx(26 * ENGLISH.shares[25])
    assert ENGLISH.text(50, 1) == ENGLISH.text(50, 1) != ENGLISH.text(50, 2)


def share_of(text: str) -> float:
    """Of a text among all of its length, cut anywhere out of one without end: summed over all ways to parse it."""
    cycle = sum(share * (len(word) + 1) for word, share in zip(SMALL.words, SMALL.shares, strict=True))
    words = dict(zip(SMALL.words, SMALL.shares, strict=True))
    total = 0.0
    for first, of_first in words.items():
        for start in range(len(first) + 1):  # the place in the first word, its space last
            for others in itertools.product(words, repeat=len(text)):
                whole = f"{first} " + "".join(f"{word} " for word in others)
                if whole[start : start + len(text)] == text:
                    total += of_first * math.prod(words[word] for word in others) / cycle
    return total


def test_the_least_loss_is_that_of_conditional_shares() -> None:
    """Every window of four characters, weighted as often as it comes."""
    texts = ["".join(letters) for letters in itertools.product(" ab", repeat=4)]
    shares = {text: share_of(text) for text in texts}
    assert sum(shares.values()) == pytest.approx(1)
    for text in (text for text in texts if shares[text] > 0):
        prefixes = [share_of(text[:length]) for length in (1, 2, 3)] + [shares[text]]
        expected = -sum(math.log(after / before) for before, after in itertools.pairwise(prefixes)) / 3
        tokens = np.asarray([[ALPHABET.index(letter) for letter in text]])
        assert SMALL.least_loss(tokens, ALPHABET) == pytest.approx(expected)


def test_in_long_windows_it_comes_to_the_entropy() -> None:
    alphabet = sorted({" ", *"".join(ENGLISH.words)})
    text = ENGLISH.text(400_001)
    tokens = np.asarray([[alphabet.index(letter) for letter in text[:400_000]]]).reshape(100, -1)
    assert ENGLISH.least_loss(tokens, alphabet) == pytest.approx(ENGLISH.entropy, rel=0.01)
    assert ENGLISH.entropy == pytest.approx(0.75365, abs=1e-5)
