"""Data of the user's own Python."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from jaxgrad.training.data import load

CODE = """
import numpy as np

images = np.arange(10 * 3 * 3).reshape(10, 3, 3).astype(np.uint8)
labels = np.arange(10) % 2
arrays = {"x_train": images, "y_train": labels, "x_test": images[:2], "y_test": labels[:2]}


def function():
    return arrays


def generator():
    yield from zip(images, labels)


class Source:
    '''As grain's are: a length and items, and no end of its own.'''

    def __len__(self):
        return len(images)

    def __getitem__(self, index):
        return {"image": images[index], "label": labels[index]}


source = Source()
both = {"train": source, "test": [(images[0], 1), (images[1], 0)]}
number = 3
empty = []
ragged = [(images[0], 0), (images[1, 1:], 1)]


def failing():
    raise RuntimeError("no network")
"""


@pytest.fixture
def code(tmp_path: Path) -> str:
    path = tmp_path / "own_data.py"
    path.write_text(CODE)
    return str(path)


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("arrays", 10, 2), ("function", 10, 2), ("generator", 8, 2), ("source", 8, 2), ("Source", 8, 2), ("both", 10, 2)],
)
def test_arrays_functions_and_sources(code: str, name: str, train: int, test: int) -> None:
    data = load(f"{code}:{name}")
    assert (len(data.train_labels), len(data.test_labels), data.classes, data.name) == (train, test, 2, name)
    assert data.input_shape == (3, 3, 1)
    # An image's first pixel is 9 times its place, and its label its place's last bit.
    places = np.round(data.train_images[:, 0, 0, 0] * 255 / 9).astype(int)
    assert data.train_labels.tolist() == (places % 2).tolist()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "has no nothing"),
        ("number", "got int ('int' object is not iterable); give a dictionary of arrays"),
        ("empty", "got no records; give a dictionary of arrays"),
        ("ragged", "got list (all input arrays must have the same shape); give a dictionary"),
        ("failing", "which fails (RuntimeError: no network); give a function of no arguments that returns data"),
    ],
)
def test_what_will_not_do_is_refused_in_one_line(code: str, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        load(f"{code}:{name}")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        load(f"{tmp_path}/none.py:data")
