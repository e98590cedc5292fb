"""Residual networks for small images, after He et al., "Deep residual learning for image recognition", CVPR 2016,
section 4.2 (CIFAR-10)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.layers import conv, norm

WIDTHS = (16, 32, 64)


class ResidualBlock(nnx.Module):
    """Two 3x3 convolutions, each with batch normalisation, added to the block's input (the paper's figure 2).

    The shortcut is the paper's option A, which its CIFAR networks use: it has no parameters. Where the block halves
    the map and widens it, the shortcut takes every second pixel and pads the new channels with zeros.

    Args:
        n_in: channels in.
        n_out: channels out, at least ``n_in``.
        stride: 2 halves height and width (rounded up), 1 keeps them.
        rngs: where the initial weights come from.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int, rngs: nnx.Rngs) -> None:
        self.stride = stride
        self.n_padded = n_out - n_in
        self.conv1 = conv(n_in, n_out, (3, 3), stride=stride, padding=1, rngs=rngs)
        self.norm1 = norm(n_out, rngs)
        self.conv2 = conv(n_out, n_out, (3, 3), padding=1, rngs=rngs)
        self.norm2 = norm(n_out, rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h_out w_out n_out"]:
        """One block: a feature map to the next."""
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        shortcut = x[:, :: self.stride, :: self.stride, :]
        before = self.n_padded // 2
        shortcut = jnp.pad(shortcut, ((0, 0), (0, 0), (0, 0), (before, self.n_padded - before)))
        return nnx.relu(y + shortcut)


class ResNet(nnx.Module):
    """The CIFAR family of depth ``6 * blocks + 2``: a 3x3 stem, three stages of 16, 32 and 64 channels, the second and
    third opening with a halving of the map, global average pooling, one dense layer.

    A new model is in training mode: batch normalisation uses the batch's statistics and updates the running ones.
    ``model.eval()`` makes it use the running ones, ``model.train()`` turns it back.

    Args:
        input_shape: (height, width, channels) of one image; height and width are free.
        classes: how many logits come out.
        blocks: residual blocks a stage.
        rngs: where the initial weights come from (He normal, as in the paper).
    """

    def __init__(self, input_shape: Sequence[int], classes: int, *, blocks: int, rngs: nnx.Rngs) -> None:
        channels = input_shape[-1]
        self.stem = conv(channels, WIDTHS[0], (3, 3), padding=1, rngs=rngs)
        self.stem_norm = norm(WIDTHS[0], rngs)
        self.blocks = nnx.List([])
        n_in = WIDTHS[0]
        for n_out in WIDTHS:
            for _ in range(blocks):
                self.blocks.append(ResidualBlock(n_in, n_out, stride=1 if n_in == n_out else 2, rngs=rngs))
                n_in = n_out
        self.head = nnx.Linear(n_in, classes, kernel_init=nnx.initializers.he_normal(), rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = nnx.relu(self.stem_norm(self.stem(images)))  # [b, h, w, 16]
        for block in self.blocks:
            x = block(x)  # at the end [b, h/4, w/4, 64]
        return self.head(x.mean(axis=(1, 2)))


# On 32x32x3 with 10 classes ResNet-20 has 269,722 parameters; the paper's table 6 has 0.27 M, 0.46 M, 0.66 M, 0.85 M
# and 1.7 M. It warms ResNet-110 up at a learning rate of 0.01.
resnet20 = partial(ResNet, blocks=3)
resnet32 = partial(ResNet, blocks=5)
resnet44 = partial(ResNet, blocks=7)
resnet56 = partial(ResNet, blocks=9)
resnet110 = partial(ResNet, blocks=18)
