"""Inception-v4, after Szegedy et al., "Inception-v4, Inception-ResNet and the impact of residual connections on
learning", 2016 (arXiv:1602.07261), figures 3 to 9."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import partial

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.errors import BuildError
from jaxgrad_models.layers import ConvNorm

SMALLEST = 75  # what leaves one pixel after the stem's and the reductions' unpadded convolutions


class Stem(nnx.Module):
    """Eleven convolutions that make 384 channels of the image at an eighth of its height and width (figure 3).

    Args:
        channels: the image's.
        rngs: where the initial weights come from.
    """

    def __init__(self, channels: int, *, rngs: nnx.Rngs) -> None:
        valid = partial(ConvNorm, padding="VALID", rngs=rngs)
        self.conv1 = valid(channels, 32, (3, 3), stride=2)
        self.conv2 = valid(32, 32, (3, 3))
        self.conv3 = ConvNorm(32, 64, (3, 3), rngs=rngs)
        self.conv4 = valid(64, 96, (3, 3), stride=2)
        self.short = _chain(160, [(64, (1, 1))], rngs)
        self.short.append(valid(64, 96, (3, 3)))
        self.long = _chain(160, [(64, (1, 1)), (64, (7, 1)), (64, (1, 7))], rngs)
        self.long.append(valid(64, 96, (3, 3)))
        self.conv5 = valid(192, 192, (3, 3), stride=2)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b h_out w_out 384"]:
        """Images to the first feature map."""
        x = self.conv3(self.conv2(self.conv1(images)))
        x = _concatenate(_max_pool(x), self.conv4(x))
        x = _concatenate(_run(self.short, x), _run(self.long, x))
        return _concatenate(self.conv5(x), _max_pool(x))


class InceptionA(nnx.Module):
    """The block of the 35x35 maps, 384 channels in and out (figure 4)."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.pooled = ConvNorm(384, 96, (1, 1), rngs=rngs)
        self.conv1x1 = ConvNorm(384, 96, (1, 1), rngs=rngs)
        self.conv3x3 = _chain(384, [(64, (1, 1)), (96, (3, 3))], rngs)
        self.double3x3 = _chain(384, [(64, (1, 1)), (96, (3, 3)), (96, (3, 3))], rngs)

    def __call__(self, x: Float[Array, "b h w 384"]) -> Float[Array, "b h w 384"]:
        """A feature map to the next."""
        return _concatenate(
            self.pooled(average_pool(x)), self.conv1x1(x), _run(self.conv3x3, x), _run(self.double3x3, x)
        )


class ReductionA(nnx.Module):
    """From 35x35 maps of 384 channels to 17x17 of 1024 (figure 7, with table 1's k, l, m, n = 192, 224, 256, 384)."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv3x3 = ConvNorm(384, 384, (3, 3), stride=2, padding="VALID", rngs=rngs)
        self.double3x3 = _chain(384, [(192, (1, 1)), (224, (3, 3))], rngs)
        self.double3x3.append(ConvNorm(224, 256, (3, 3), stride=2, padding="VALID", rngs=rngs))

    def __call__(self, x: Float[Array, "b h w 384"]) -> Float[Array, "b h_out w_out 1024"]:
        """A feature map to one of about half the height and width."""
        return _concatenate(_max_pool(x), self.conv3x3(x), _run(self.double3x3, x))


class InceptionB(nnx.Module):
    """The block of the 17x17 maps, 1024 channels in and out (figure 5)."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.pooled = ConvNorm(1024, 128, (1, 1), rngs=rngs)
        self.conv1x1 = ConvNorm(1024, 384, (1, 1), rngs=rngs)
        self.conv7x7 = _chain(1024, [(192, (1, 1)), (224, (1, 7)), (256, (7, 1))], rngs)
        self.double7x7 = _chain(1024, [(192, (1, 1)), (192, (1, 7)), (224, (7, 1)), (224, (1, 7)), (256, (7, 1))], rngs)

    def __call__(self, x: Float[Array, "b h w 1024"]) -> Float[Array, "b h w 1024"]:
        """A feature map to the next."""
        return _concatenate(
            self.pooled(average_pool(x)), self.conv1x1(x), _run(self.conv7x7, x), _run(self.double7x7, x)
        )


class ReductionB(nnx.Module):
    """From 17x17 maps of 1024 channels to 8x8 of 1536 (figure 8)."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv3x3 = _chain(1024, [(192, (1, 1))], rngs)
        self.conv3x3.append(ConvNorm(192, 192, (3, 3), stride=2, padding="VALID", rngs=rngs))
        self.conv7x7 = _chain(1024, [(256, (1, 1)), (256, (1, 7)), (320, (7, 1))], rngs)
        self.conv7x7.append(ConvNorm(320, 320, (3, 3), stride=2, padding="VALID", rngs=rngs))

    def __call__(self, x: Float[Array, "b h w 1024"]) -> Float[Array, "b h_out w_out 1536"]:
        """A feature map to one of about half the height and width."""
        return _concatenate(_max_pool(x), _run(self.conv3x3, x), _run(self.conv7x7, x))


class InceptionC(nnx.Module):
    """The block of the 8x8 maps, 1536 channels in and out (figure 6): its two longer branches fork at their ends."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.pooled = ConvNorm(1536, 256, (1, 1), rngs=rngs)
        self.conv1x1 = ConvNorm(1536, 256, (1, 1), rngs=rngs)
        self.conv3x3 = ConvNorm(1536, 384, (1, 1), rngs=rngs)
        self.conv3x3_wide = ConvNorm(384, 256, (1, 3), rngs=rngs)
        self.conv3x3_tall = ConvNorm(384, 256, (3, 1), rngs=rngs)
        self.double3x3 = _chain(1536, [(384, (1, 1)), (448, (1, 3)), (512, (3, 1))], rngs)
        self.double3x3_tall = ConvNorm(512, 256, (3, 1), rngs=rngs)
        self.double3x3_wide = ConvNorm(512, 256, (1, 3), rngs=rngs)

    def __call__(self, x: Float[Array, "b h w 1536"]) -> Float[Array, "b h w 1536"]:
        """A feature map to the next."""
        single = self.conv3x3(x)
        double = _run(self.double3x3, x)
        return _concatenate(
            self.pooled(average_pool(x)),
            self.conv1x1(x),
            self.conv3x3_wide(single),
            self.conv3x3_tall(single),
            self.double3x3_tall(double),
            self.double3x3_wide(double),
        )


class InceptionV4(nnx.Module):
    """149 convolutions, each with batch normalisation and ReLU, global average pooling, dropout, one dense layer.

    A new model is in training mode (see ``resnet.ResNet``): dropout too is at work in it.

    Args:
        input_shape: (height, width, channels) of one image, 299x299x3 in the paper; at least 75 high and wide.
        classes: how many logits come out.
        blocks: how many of the blocks A, B and C.
        rngs: where the initial weights come from, and what dropout draws from.

    Raises:
        BuildError: the image is too small for the unpadded convolutions.
    """

    def __init__(
        self, input_shape: Sequence[int], classes: int, *, blocks: tuple[int, int, int] = (4, 7, 3), rngs: nnx.Rngs
    ) -> None:
        height, width, channels = input_shape
        if min(height, width) < SMALLEST:
            raise BuildError(
                "input_shape", tuple(input_shape), f"inception-v4 needs height and width of at least {SMALLEST}"
            )
        a, b, c = blocks
        self.stem = Stem(channels, rngs=rngs)
        self.inception_a = nnx.List(InceptionA(rngs=rngs) for _ in range(a))
        self.reduction_a = ReductionA(rngs=rngs)
        self.inception_b = nnx.List(InceptionB(rngs=rngs) for _ in range(b))
        self.reduction_b = ReductionB(rngs=rngs)
        self.inception_c = nnx.List(InceptionC(rngs=rngs) for _ in range(c))
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.head = nnx.Linear(1536, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = self.stem(images)
        x = self.reduction_a(_run(self.inception_a, x))
        x = self.reduction_b(_run(self.inception_b, x))
        x = _run(self.inception_c, x)
        return self.head(self.dropout(x.mean(axis=(1, 2))))


def _chain(n_in: int, steps: Sequence[tuple[int, tuple[int, int]]], rngs: nnx.Rngs) -> nnx.List:
    """One convolution after another: the channels out and the kernel of each."""
    widths = [n_in, *(n_out for n_out, _ in steps)]
    return nnx.List(
        ConvNorm(before, after, kernel, rngs=rngs)
        for (before, after), (_, kernel) in zip(itertools.pairwise(widths), steps, strict=True)
    )


def _run(layers: Iterable, x: Array) -> Array:
    for layer in layers:
        x = layer(x)
    return x


def _concatenate(*branches: Array) -> Array:
    return jnp.concatenate(branches, axis=-1)


def _max_pool(x: Array) -> Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2))


def average_pool(x: Float[Array, "b h w n"]) -> Float[Array, "b h w n"]:
    """The average of the 3x3 pixels around each, of fewer at the edges."""
    return nnx.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)
