from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad_models.resnet import ResidualBlock, ResNet, resnet20


@pytest.mark.parametrize(("blocks", "depth"), [(1, 8), (3, 20), (5, 32)])
def test_depth_is_six_a_block_and_two(blocks, depth):
    model = nnx.eval_shape(lambda: ResNet((8, 8, 1), 10, blocks=blocks, rngs=nnx.Rngs(0)))
    assert sum(isinstance(module, (nnx.Conv, nnx.Linear)) for _, module in nnx.iter_modules(model)) == depth


def test_the_shortcut_takes_every_second_pixel_and_pads_the_new_channels_with_zeros():
    block = ResidualBlock(2, 5, stride=2, rngs=nnx.Rngs(0))
    assert block.norm2.scale is not None
    block.norm2.scale[...] = jnp.zeros(5)  # the residual branch gives 0
    x = np.random.default_rng(0).normal(size=(3, 7, 6, 2)).astype(np.float32)
    expected = np.zeros((3, 4, 3, 5), np.float32)
    expected[..., 1:3] = np.maximum(x[:, ::2, ::2], 0)
    np.testing.assert_array_equal(block(jnp.asarray(x)), expected)


def test_three_stages_halve_the_map_twice_and_widen_it():
    model = nnx.eval_shape(lambda: resnet20((32, 32, 3), 10, rngs=nnx.Rngs(0)))
    x = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    x = nnx.eval_shape(lambda m, x: m.stem(x), model, x)
    shapes = []
    for block in model.blocks:
        x = nnx.eval_shape(lambda m, x: m(x), block, x)
        shapes.append(x.shape[1:])
    assert shapes == [(32, 32, 16)] * 3 + [(16, 16, 32)] * 3 + [(8, 8, 64)] * 3


def test_batch_norm_updates_its_running_statistics_in_training_only():
    model = resnet20((8, 8, 1), 4, rngs=nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
    forward = nnx.jit(lambda model, images: model(images))

    def statistics() -> list[np.ndarray]:
        return [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(model, nnx.BatchStat))]

    before = statistics()
    assert len(before) == 2 * 19
    forward(model, images)
    after = statistics()
    assert all(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    # the stem's mean moves a tenth of the way from 0 to the batch's own
    batch_mean = np.asarray(model.stem(images)).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(np.asarray(model.stem_norm.mean[...]), 0.1 * batch_mean, rtol=1e-5, atol=1e-6)

    model.eval()
    together = forward(model, images)
    alone = forward(model, images[:1])
    for old, new in zip(after, statistics(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(together[:1], alone, rtol=1e-4, atol=1e-5)  # and no image sees its neighbours
