"""Networks of a user's own, as text of a file."""

from __future__ import annotations

from pathlib import Path

SMALL = """
from functools import partial

from flax import nnx


class Net(nnx.Module):
    def __init__(self, input_shape, classes, *, hidden=(8,), rngs):
        height, width, channels = input_shape
        self.dense = nnx.Linear(height * width * channels, hidden[0], rngs=rngs)
        self.head = nnx.Linear(hidden[0], classes, rngs=rngs)

    def __call__(self, images):
        return self.head(nnx.relu(self.dense(images.reshape(len(images), -1))))


class Fixed(nnx.Module):
    input_shape = (4, 4, 1)
    classes = 3

    def __init__(self, rngs):
        self.head = nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, images):
        return self.head(images.reshape(len(images), -1))


def factory(rngs, input_shape, /, classes):
    return Net(input_shape, classes, rngs=rngs)


narrow = partial(Net, hidden=(2,))
"""


def write(folder: Path, code: str = SMALL, name: str = "my_net.py") -> Path:
    """A file of that code in a folder."""
    file = folder / name
    file.write_text(code, encoding="utf-8")
    return file
