from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad_models.mobilenet import InvertedResidual, MobileNetV2, Separable
from tests.models import tracing


@pytest.mark.parametrize(("n_out", "stride", "added"), [(8, 1, True), (16, 1, False), (8, 2, False)])
def test_an_inverted_residual_adds_its_input_where_the_shape_is_kept(n_out, stride, added):
    block = InvertedResidual(8, n_out, expansion=1, stride=stride, rngs=nnx.Rngs(0))
    assert block.project.norm.scale is not None
    block.project.norm.scale[...] = jnp.zeros(n_out)  # the residual branch gives 0
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 8)).astype(np.float32)
    y = block(jnp.asarray(x))
    np.testing.assert_array_equal(y, x if added else np.zeros((2, 4 // stride, 6 // stride, n_out)))


def test_a_depthwise_convolution_keeps_channels_apart():
    block = Separable(3, 4, stride=1, rngs=nnx.Rngs(0))
    block.eval()
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 3)).astype(np.float32)
    other = x.copy()
    other[..., 1] += 1
    changed = np.asarray(block.depthwise.conv(jnp.asarray(x)) != block.depthwise.conv(jnp.asarray(other)))
    assert changed[..., 1].all()
    assert not changed[..., [0, 2]].any()


@pytest.mark.parametrize(("width", "published"), [(0.35, "1.68"), (0.5, "1.97"), (1.4, "6.11")])
def test_the_width_multiplier_rounds_as_the_reference_does(width, published):
    """Parameters in M, as PyTorch Image Models lists them."""
    model = tracing.abstract(lambda rngs: MobileNetV2((224, 224, 3), 1000, width=width, rngs=rngs))
    assert f"{tracing.parameters(model) / 1e6:.2f}" == published
