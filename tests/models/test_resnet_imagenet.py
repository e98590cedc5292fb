from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad_models.resnet_imagenet import Basic, Bottleneck
from tests.models import tracing

X = np.random.default_rng(0).normal(size=(2, 5, 3, 8)).astype(np.float32)


@pytest.mark.parametrize("kind", [Basic, Bottleneck])
def test_a_block_that_keeps_the_shape_adds_its_input(kind):
    block = kind(8, 8 // kind.expansion, stride=1, rngs=nnx.Rngs(0))
    last = block.norm2 if kind is Basic else block.norm3
    last.scale[...] = jnp.zeros(8)  # the residual branch gives 0
    np.testing.assert_array_equal(block(jnp.asarray(X)), np.maximum(X, 0))


@pytest.mark.parametrize("kind", [Basic, Bottleneck])
def test_a_block_that_halves_the_map_adds_a_projection_of_every_second_pixel(kind):
    block = kind(8, 8, stride=2, rngs=nnx.Rngs(0))
    n_out = 8 * kind.expansion
    last = block.norm2 if kind is Basic else block.norm3
    last.scale[...] = jnp.zeros(n_out)
    block.eval()  # a normalisation that has seen nothing passes its input, but for its epsilon
    projected = X[:, ::2, ::2] @ np.asarray(block.projection.kernel[...])[0, 0]
    np.testing.assert_allclose(block(jnp.asarray(X)), np.maximum(projected, 0), rtol=1e-4, atol=1e-5)


def test_the_stride_is_on_the_3x3():
    convs = dict(nnx.iter_children(tracing.network("resnet50").stages[1][0]))
    assert [convs[name].strides for name in ("conv1", "conv2", "conv3")] == [1, 2, 1]


def test_four_stages_halve_the_map_and_widen_it():
    shape = (1, 56, 56, 64)
    shapes = []
    for stage in tracing.network("resnet50").stages:
        for block in stage:
            shape = tracing.output_shape(block, shape)
        shapes.append(shape[1:])
    assert shapes == [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
