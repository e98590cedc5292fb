"""Texts, as windows of characters: of a file of the user's, or of a source whose entropy is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int32

from jaxgrad.base.errors import InputError
from jaxgrad.training.data.dataset import Dataset
from jaxgrad.training.data.words import ENGLISH, Words

NAME = "text"
SUFFIX = ".txt"
_TRAIN, _TEST = 131_072, 16_384  # characters to predict in what is made here
_TEST_SHARE = 0.1  # of a file: its end
_UNIT = "windows"


def is_text(source: str) -> bool:
    """Whether a data set by this name is of characters.

    >>> is_text("text"), is_text("book.txt"), is_text("digits")
    (True, True, False)
    """
    return source == NAME or source.endswith(SUFFIX)


def made(window: int, words: Words = ENGLISH, *, train: int = _TRAIN, test: int = _TEST) -> Dataset:
    """A text made from a source of words, the same each time.

    Args:
        window: characters in a window.
        words: the source.
        train, test: characters to predict in each part, cut down to whole windows.

    Raises:
        InputError: a window is longer than a part.
    """
    alphabet = sorted({" ", *"".join(words.words)})
    read, tested = (
        _windows(words.text(size + 1, seed), alphabet, window, NAME) for seed, size in enumerate((train, test))
    )
    return _dataset(read, tested, alphabet, NAME)._replace(least_loss=words.least_loss(tested, alphabet))


def read(path: Path, window: int) -> Dataset:
    """A file of the user's, in UTF-8: a class for each different character in it, the last tenth to test.

    Args:
        path: of the file.
        window: characters in a window.

    Raises:
        InputError: it can't be read, is shorter than two windows, or has one character alone, again and again.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), None, "give a text file in UTF-8", problem=f"can't be read: {error}") from None
    alphabet = sorted(set(text))
    if len(alphabet) < 2:
        problem = f"found {len(alphabet)} different characters"
        raise InputError(str(path), len(alphabet), "give a text of at least two", problem=problem)
    test = max(round(len(text) * _TEST_SHARE), window + 1)
    read, tested = (_windows(part, alphabet, window, str(path)) for part in (text[:-test], text[-test:]))
    return _dataset(read, tested, alphabet, path.stem)


def _windows(text: str, alphabet: list[str], window: int, origin: str) -> Int32[np.ndarray, "n tokens"]:
    """Of ``window`` characters and the one after them, each beginning with the last one of the window before."""
    count = (len(text) - 1) // window
    if count < 1:
        problem = f"got {window}, for a part of {len(text)} characters of {origin}"
        raise InputError("window", window, "give smaller windows, or a longer text", problem=problem)
    place = {character: index for index, character in enumerate(alphabet)}
    tokens = np.asarray([place[character] for character in text], np.int32)
    return tokens[np.arange(count)[:, np.newaxis] * window + np.arange(window + 1)]


def _dataset(train: np.ndarray, test: np.ndarray, alphabet: list[str], name: str) -> Dataset:
    """Windows to read, and as labels the character after each of theirs."""
    return Dataset(train[:, :-1], train[:, 1:], test[:, :-1], test[:, 1:], len(alphabet), name, _UNIT)
