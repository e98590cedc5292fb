"""An ONNX classifier as a network: its weights are the initial ones, and train.

Batch normalisation trains as it did where the file comes from: by the batch's statistics, of which the running ones
take a part (1 - ``momentum``) each step, and by these in evaluation. Dropout, which exporters switch off, stays off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad.interop.onnx.forward.program import Program, Step
from jaxgrad.interop.onnx.forward.values import Node

_COLOURS = (1, 3)  # channels that an image has, where nothing else tells which axis they are


class OnnxNetwork(nnx.Module):
    """A program with its weights, layer by layer.

    Args:
        program: the classifier in the file.
        input_shape: (height, width, channels) of an image.

    Raises:
        ShapeMismatch: the file's images are others.
    """

    def __init__(self, program: Program, input_shape: Sequence[int]) -> None:
        self.program = program
        self.channels_first = _channels_first(program.dims, input_shape)
        self.use_running_average = False
        kinds = (nnx.Param, program.weights), (nnx.BatchStat, program.statistics)
        layers: dict[str, dict[str, Any]] = {}
        for kind, weights in kinds:
            for weight in weights.values():
                layers.setdefault(weight.layer, {})[weight.name] = kind(jnp.asarray(weight.value))
        for layer, variables in layers.items():  # by the names that their products have
            setattr(self, layer, nnx.Dict(variables))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        weights = {**self.program.weights, **self.program.statistics}
        values = {name: getattr(self, weight.layer)[weight.name][...] for name, weight in weights.items()}
        if len(self.program.dims) == 1:
            images = images.reshape(len(images), -1)
        elif self.channels_first:
            images = jnp.moveaxis(images, -1, 1)
        logits = self.program.run(images, values, self._batch_norm)
        pixels = logits.shape[2:]  # of a classifier that ends in a pooling
        return logits.reshape(logits.shape[:2]) if pixels and math.prod(pixels) == 1 else logits

    def _batch_norm(self, step: Step, node: Node) -> Array:
        x, scale, bias, mean, variance = node.inputs[:5]
        if not self.use_running_average:
            axes = (0, *range(2, x.ndim))
            new = x.mean(axes), x.var(axes)
            momentum = node.attributes.get("momentum", 0.9)
            for name, old, now in zip(step.inputs[3:5], (mean, variance), new, strict=True):
                weight = self.program.statistics.get(name)
                if weight is None:  # what the graph computes stays as it is
                    continue
                getattr(self, weight.layer)[weight.name][...] = momentum * old + (1 - momentum) * now
            mean, variance = new
        wide = (-1, *[1] * (x.ndim - 2))
        factor = scale * jax.lax.rsqrt(variance + node.attributes.get("epsilon", 1e-5))
        return (x - mean.reshape(wide)) * factor.reshape(wide) + bias.reshape(wide)


TAKEN = (*dir(OnnxNetwork), "program", "channels_first", "use_running_average")
"""Names that no layer may have."""


def input_shape(program: Program) -> tuple[int, int, int] | None:
    """(height, width, channels) of the images that a file says; None where it leaves some open, or flattens them."""
    if len(program.dims) != 3 or None in program.dims:
        return None
    first, second, third = (size or 0 for size in program.dims)
    if third in _COLOURS and first not in _COLOURS:
        return first, second, third
    return second, third, first


class ShapeMismatch(Exception):
    """The images of a file are others."""


def _channels_first(dims: Sequence[int | None], shape: Sequence[int]) -> bool:
    """Whether images of a shape go in with channels first, as they do where the file leaves it open."""
    height, width, channels = shape
    if len(dims) == 1:
        if dims[0] not in (None, math.prod(shape)):
            raise ShapeMismatch(f"its images have {dims[0]} values")
        return False
    for order, first in (((channels, height, width), True), ((height, width, channels), False)):
        if len(dims) == 3 and all(size in (None, given) for size, given in zip(dims, order, strict=True)):
            return first
    raise ShapeMismatch(f"its images are {'x'.join(str(size or '?') for size in dims)}")
