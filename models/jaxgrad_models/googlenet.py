"""GoogLeNet, after Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.layers import conv, local_response_norm, small


class Inception(nnx.Module):
    """Four branches side by side, each convolution with ReLU: 1x1; 1x1 then 3x3; 1x1 then 5x5; pooling then 1x1.

    Args:
        n_in: channels in.
        widths: channels out of the 1x1, the 3x3's reduction, the 3x3, the 5x5's reduction, the 5x5 and the pooled
            branch's projection, the order of the table's columns.
        rngs: where the initial weights come from.
    """

    def __init__(self, n_in: int, widths: tuple[int, int, int, int, int, int], *, rngs: nnx.Rngs) -> None:
        n1x1, n3x3_reduced, n3x3, n5x5_reduced, n5x5, n_pooled = widths
        self.n_out = n1x1 + n3x3 + n5x5 + n_pooled
        self.conv1x1 = conv(n_in, n1x1, (1, 1), bias=True, rngs=rngs)
        self.reduce3x3 = conv(n_in, n3x3_reduced, (1, 1), bias=True, rngs=rngs)
        self.conv3x3 = conv(n3x3_reduced, n3x3, (3, 3), padding=1, bias=True, rngs=rngs)
        self.reduce5x5 = conv(n_in, n5x5_reduced, (1, 1), bias=True, rngs=rngs)
        self.conv5x5 = conv(n5x5_reduced, n5x5, (5, 5), padding=2, bias=True, rngs=rngs)
        self.pooled = conv(n_in, n_pooled, (1, 1), bias=True, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h w n_out"]:
        """A feature map to the next."""
        y1 = nnx.relu(self.conv1x1(x))
        y3 = nnx.relu(self.conv3x3(nnx.relu(self.reduce3x3(x))))
        y5 = nnx.relu(self.conv5x5(nnx.relu(self.reduce5x5(x))))
        pooled = nnx.relu(self.pooled(nnx.max_pool(x, (3, 3), padding="SAME")))
        return jnp.concatenate([y1, y3, y5, pooled], axis=-1)


class GoogLeNet(nnx.Module):
    """Three convolutions, nine inception modules of six, global average pooling, dropout, one dense layer.

    The two auxiliary classifiers, which only training has, are left out: they are in none of the usual counts.

    A new model is in training mode, in which dropout is at work; ``model.eval()`` takes it out.

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; height and width are free.
        classes: how many logits come out.
        rngs: where the initial weights come from (He normal), and what dropout draws from.
    """

    def __init__(self, input_shape: Sequence[int], classes: int, *, rngs: nnx.Rngs) -> None:
        self.small = small(input_shape)
        kernel, stride, padding = ((3, 3), 1, 1) if self.small else ((7, 7), 2, 3)
        self.conv1 = conv(input_shape[-1], 64, kernel, stride=stride, padding=padding, bias=True, rngs=rngs)
        self.reduce2 = conv(64, 64, (1, 1), bias=True, rngs=rngs)
        self.conv2 = conv(64, 192, (3, 3), padding=1, bias=True, rngs=rngs)
        self.inception3a = Inception(192, (64, 96, 128, 16, 32, 32), rngs=rngs)
        self.inception3b = Inception(256, (128, 128, 192, 32, 96, 64), rngs=rngs)
        self.inception4a = Inception(480, (192, 96, 208, 16, 48, 64), rngs=rngs)
        self.inception4b = Inception(512, (160, 112, 224, 24, 64, 64), rngs=rngs)
        self.inception4c = Inception(512, (128, 128, 256, 24, 64, 64), rngs=rngs)
        self.inception4d = Inception(512, (112, 144, 288, 32, 64, 64), rngs=rngs)
        self.inception4e = Inception(528, (256, 160, 320, 32, 128, 128), rngs=rngs)
        self.inception5a = Inception(832, (256, 160, 320, 32, 128, 128), rngs=rngs)
        self.inception5b = Inception(832, (384, 192, 384, 48, 128, 128), rngs=rngs)
        self.dropout = nnx.Dropout(0.4, rngs=rngs)
        self.head = nnx.Linear(1024, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = nnx.relu(self.conv1(images))
        x = local_response_norm(x if self.small else _pool(x))  # [b, h/4, w/4, 64]
        x = nnx.relu(self.conv2(nnx.relu(self.reduce2(x))))
        x = local_response_norm(x)
        x = x if self.small else _pool(x)  # [b, h/8, w/8, 192]
        x = self.inception3b(self.inception3a(x))
        x = _pool(x)  # [b, h/16, w/16, 480]
        x = self.inception4c(self.inception4b(self.inception4a(x)))
        x = self.inception4e(self.inception4d(x))
        x = _pool(x)  # [b, h/32, w/32, 832]
        x = self.inception5b(self.inception5a(x))
        return self.head(self.dropout(x.mean(axis=(1, 2))))


def _pool(x: Array) -> Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")
