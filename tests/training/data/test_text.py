"""Texts as windows of characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training.data import batches, load, text
from jaxgrad.training.data.words import ENGLISH, Words


def test_windows_follow_each_other_and_labels_are_the_next_characters() -> None:
    words = Words(("ab", "c"))
    data = text.made(5, words, train=23, test=11)
    assert (data.train_images.shape, data.test_labels.shape, data.classes) == ((4, 5), (2, 5), 4)
    assert (data.input_shape, data.train_images.dtype, data.examples) == ((5,), np.int32, "windows")
    characters = words.text(24)
    read = "".join(" abc"[token] for token in data.train_images.ravel())
    after = "".join(" abc"[token] for token in data.train_labels.ravel())
    assert (read, after) == (characters[:20], characters[1:21])


def test_the_text_that_is_made_says_how_well_it_can_be_predicted() -> None:
    data = load("text")
    assert (data.train_images.shape, data.test_images.shape) == ((4096, 32), (512, 32))
    assert data.least_loss is not None
    assert ENGLISH.entropy < data.least_loss < 1.02 * ENGLISH.entropy  # the first characters of a window are harder
    shorter = load("text", window=8)
    assert shorter.least_loss is not None
    assert shorter.least_loss > 1.04 * ENGLISH.entropy


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "ä.txt"
    content = "Ein Kätzchen, zwei Kätzchen.\n" * 20
    file.write_text(content, encoding="utf-8")
    data = load(str(file), window=7)
    alphabet = sorted(set(content))
    assert (data.name, data.classes, data.least_loss) == ("ä", len(alphabet), None)
    assert "".join(alphabet[token] for token in data.train_images[:3].ravel()) == content[:21]
    assert "".join(alphabet[token] for token in data.test_images[0]) == content[-58:][:7]  # the last tenth
    images, labels = next(batches(data, 4, 0, 0))
    assert images.shape == labels.shape == (4, 7)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "can't be read: 'utf-8' codec"),
        (b"aaaa", "found 1 different characters; give a text of at least two"),
        (b"abcabc", "window: got 4, for a part of 1 characters of .*; give smaller windows, or a longer text"),
    ],
)
def test_texts_that_will_not_do(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load(str(file), window=4)
    with pytest.raises(InputError, match="can't be read"):
        load(str(tmp_path / "none.txt"))
    with pytest.raises(InputError, match="text is made where it is needed, leave the folder out"):
        load("text", tmp_path)
