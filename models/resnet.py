"""Residual networks for small images, after He et al., "Deep residual learning for image recognition", CVPR 2016,
section 4.2 (CIFAR-10)."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

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
        self.conv1 = _conv3x3(n_in, n_out, stride, rngs)
        self.norm1 = _norm(n_out, rngs)
        self.conv2 = _conv3x3(n_out, n_out, 1, rngs)
        self.norm2 = _norm(n_out, rngs)

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
        self.stem = _conv3x3(channels, WIDTHS[0], 1, rngs)
        self.stem_norm = _norm(WIDTHS[0], rngs)
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


def resnet20(input_shape: Sequence[int], classes: int, *, rngs: nnx.Rngs) -> ResNet:
    """ResNet-20: 19 convolutions and a dense layer.

    On 32x32x3 with 10 classes it has 269,722 parameters (published: 0.27 M); the shapes are ``ResNet``'s.
    """
    return ResNet(input_shape, classes, blocks=3, rngs=rngs)


def _conv3x3(n_in: int, n_out: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv:
    # One pixel on every side, as in the paper; "SAME" would pad a stride of 2 on the far side alone.
    return nnx.Conv(
        n_in,
        n_out,
        (3, 3),
        strides=stride,
        padding=1,
        use_bias=False,  # the normalisation that follows takes any bias out again
        kernel_init=nnx.initializers.he_normal(),
        rngs=rngs,
    )


def _norm(n: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(n, momentum=0.9, rngs=rngs)
