from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgrad_models.vit import Block, ViT
from tests.models import tracing


def test_a_block_adds_to_its_input():
    block = Block(12, 3, rngs=nnx.Rngs(0))
    block.attention.out.kernel[...] = jnp.zeros((3, 4, 12))
    block.dense2.kernel[...] = jnp.zeros((48, 12))
    x = np.random.default_rng(0).normal(size=(2, 5, 12)).astype(np.float32)
    np.testing.assert_array_equal(block(jnp.asarray(x)), x)


def test_only_positions_tell_patches_apart():
    model = ViT((8, 8, 1), 3, width=12, heads=3, depth=1, patch=4, rngs=nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
    swapped = jnp.concatenate([images[:, 4:], images[:, :4]], axis=1)
    assert not np.allclose(model(images), model(swapped), atol=1e-4)
    model.positions[...] = jnp.zeros_like(model.positions[...])
    np.testing.assert_allclose(model(images), model(swapped), rtol=1e-4, atol=1e-5)


def test_a_token_a_patch_and_one_for_the_class():
    model = tracing.network("vit-small")
    assert model.positions.shape == (1, 14 * 14 + 1, 384)
    assert tracing.output_shape(model.patches, (1, 224, 224, 3)) == (1, 14, 14, 384)
