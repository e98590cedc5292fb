from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgrad_models.densenet import DenseLayer
from tests.models import tracing


def test_a_dense_layer_puts_its_channels_behind_its_input():
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 5)).astype(np.float32)
    y = np.asarray(DenseLayer(5, 2, rngs=nnx.Rngs(0))(jnp.asarray(x)))
    assert y.shape == (2, 4, 3, 7)
    np.testing.assert_array_equal(y[..., :5], x)
    assert (y[..., 5:] != 0).all()


def test_transitions_halve_the_map_and_the_channels():
    model = tracing.network("densenet121")
    shape = (1, 56, 56, 64)
    shapes = []
    for index, block in enumerate(model.blocks):
        for layer in block:
            shape = tracing.output_shape(layer, shape)
        shapes.append(shape[1:])
        if index < len(model.transitions):
            shape = tracing.output_shape(model.transitions[index], shape)
            shapes.append(shape[1:])
    # the paper's table 1, column DenseNet-121: k = 32 added channels a layer
    assert shapes == [
        *((56, 56, 256), (28, 28, 128)),
        *((28, 28, 512), (14, 14, 256)),
        *((14, 14, 1024), (7, 7, 512)),
        (7, 7, 1024),
    ]
