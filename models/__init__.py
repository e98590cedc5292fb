"""Flax NNX image classifiers to train, with no word of hardware in them.

Every model maps images in NHWC to one logit a class, and is built by name:

    model = build("lenet", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0))

A family is imported when one of it is built, so that listing the names imports neither JAX nor Flax.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flax import nnx

# name -> where its constructor is; each takes (input_shape, classes, *, rngs)
MODELS: dict[str, str] = {
    "mlp": "models.mlp:MLP",
    "lenet": "models.lenet:LeNet",
    "resnet20": "models.resnet:resnet20",
}


def build(name: str, *, input_shape: Sequence[int], classes: int, rngs: nnx.Rngs) -> nnx.Module:
    """The model ``name``, freshly initialised and in training mode.

    Args:
        name: a key of ``MODELS``.
        input_shape: (height, width, channels) of one image.
        classes: how many logits the model gives.
        rngs: where the initial weights come from.

    Raises:
        ValueError: an unknown name, or sizes that the model can't take.
    """
    if name not in MODELS:
        raise ValueError(f"model: got {name!r}; choose one of {', '.join(MODELS)}")
    if len(input_shape) != 3 or not all(_is_size(size) for size in input_shape):
        raise ValueError(f"input_shape: got {tuple(input_shape)}; give (height, width, channels), each at least 1")
    if not _is_size(classes):
        raise ValueError(f"classes: got {classes!r}; give a whole number of at least 1")
    module, constructor = MODELS[name].split(":")
    return getattr(importlib.import_module(module), constructor)(tuple(input_shape), classes, rngs=rngs)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
