"""A network of your own, in each way that jaxgrad takes one: a class, a function that builds one, a JAX function.

jaxgrad train --model examples/my_net.py:Net --epochs 3
jaxgrad compare --model examples/my_net.py:wide --input-shape 32x32x3
jaxgrad train --model examples/my_net.py:plain
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class Net(nnx.Module):
    """A convolution, a pooling and two dense layers; ``--hidden`` sets the width between these."""

    def __init__(self, input_shape, classes, *, hidden=(32,), rngs):
        height, width, channels = input_shape
        (units,) = hidden
        self.conv = nnx.Conv(channels, 8, (3, 3), rngs=rngs)
        self.dense = nnx.Linear((height // 2) * (width // 2) * 8, units, rngs=rngs)
        self.head = nnx.Linear(units, classes, rngs=rngs)

    def __call__(self, images):
        x = nnx.relu(self.conv(images))
        x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        x = nnx.relu(self.dense(x.reshape(len(x), -1)))
        return self.head(x)


def wide(input_shape, classes, rngs):
    """The same with more units."""
    return Net(input_shape, classes, hidden=(128,), rngs=rngs)


def plain(params, images):
    """The same as a function of its parameters."""
    layout = ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(images, params["conv"]["kernel"], (1, 1), "SAME", dimension_numbers=layout)
    x = jax.nn.relu(x + params["conv"]["bias"])
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(x.reshape(len(x), -1) @ params["dense"]["kernel"] + params["dense"]["bias"])
    return x @ params["head"]["kernel"] + params["head"]["bias"]


def init(key, input_shape, classes, *, hidden=(32,)):
    """Its parameters."""
    height, width, channels = input_shape
    (units,) = hidden
    shapes = {
        "conv": (3, 3, channels, 8),
        "dense": ((height // 2) * (width // 2) * 8, units),
        "head": (units, classes),
    }
    keys = jax.random.split(key, len(shapes))
    initial = jax.nn.initializers.lecun_normal()
    return {
        layer: {"kernel": initial(key, shape), "bias": jnp.zeros(shape[-1])}
        for key, (layer, shape) in zip(keys, shapes.items(), strict=True)
    }


plain.init = init
