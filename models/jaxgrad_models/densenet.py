"""Densely connected networks, after Huang et al., "Densely connected convolutional networks", CVPR 2017, table 1
(DenseNet-BC for ImageNet)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.errors import BuildError
from jaxgrad_models.layers import conv, norm, small

SMALLEST = 8  # the stem of small images leaves them, and three transitions halve them to 1


class DenseLayer(nnx.Module):
    """Batch normalisation, ReLU and a 1x1 convolution to ``4 * growth`` channels; the same and a 3x3 to ``growth``.

    The new channels are put behind the input's.

    Args:
        n_in: channels in; ``n_in + growth`` come out.
        growth: the new channels.
        rngs: where the initial weights come from.
    """

    def __init__(self, n_in: int, growth: int, *, rngs: nnx.Rngs) -> None:
        self.norm1 = norm(n_in, rngs)
        self.conv1 = conv(n_in, 4 * growth, (1, 1), rngs=rngs)
        self.norm2 = norm(4 * growth, rngs)
        self.conv2 = conv(4 * growth, growth, (3, 3), padding=1, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h w n_out"]:
        """A feature map to itself and ``growth`` channels more."""
        y = self.conv1(nnx.relu(self.norm1(x)))
        y = self.conv2(nnx.relu(self.norm2(y)))
        return jnp.concatenate([x, y], axis=-1)


class Transition(nnx.Module):
    """Batch normalisation, ReLU, a 1x1 convolution that halves the channels, and pooling that halves the map.

    Args:
        n_in: channels in.
        rngs: where the initial weights come from.
    """

    def __init__(self, n_in: int, *, rngs: nnx.Rngs) -> None:
        self.norm = norm(n_in, rngs)
        self.conv = conv(n_in, n_in // 2, (1, 1), rngs=rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h//2 w//2 n_in//2"]:
        """A feature map to one of half the channels, height and width, rounded down."""
        return nnx.avg_pool(self.conv(nnx.relu(self.norm(x))), (2, 2), strides=(2, 2))


class DenseNet(nnx.Module):
    """A 7x7 stem and a max pooling, each halving the map, four dense blocks with transitions between them, global
    average pooling, one dense layer. On small images (``layers.small``) the stem is 3x3 at a stride of 1, and there is
    no max pooling.

    A new model is in training mode (see ``resnet.ResNet``).

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; at least 8 high and wide.
        classes: how many logits come out.
        blocks: dense layers in each of the four blocks.
        growth: channels each of them adds; the stem makes twice as many.
        rngs: where the initial weights come from (He normal, as in the paper).

    Raises:
        BuildError: the image is too small to be halved three times.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        blocks: tuple[int, int, int, int],
        growth: int = 32,
        rngs: nnx.Rngs,
    ) -> None:
        height, width, channels = input_shape
        if min(height, width) < SMALLEST:
            raise BuildError(
                "input_shape", tuple(input_shape), f"densenet needs height and width of at least {SMALLEST}"
            )
        n = 2 * growth
        self.small = small(input_shape)
        kernel, stride, padding = ((3, 3), 1, 1) if self.small else ((7, 7), 2, 3)
        self.stem = conv(channels, n, kernel, stride=stride, padding=padding, rngs=rngs)
        self.stem_norm = norm(n, rngs)
        self.blocks = nnx.List([])
        self.transitions = nnx.List([])
        for count in blocks:
            if self.blocks:
                self.transitions.append(Transition(n, rngs=rngs))
                n //= 2
            self.blocks.append(nnx.List(DenseLayer(n + i * growth, growth, rngs=rngs) for i in range(count)))
            n += count * growth
        self.norm = norm(n, rngs)
        self.head = nnx.Linear(n, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = nnx.relu(self.stem_norm(self.stem(images)))  # [b, h/2, w/2, 2 growth]
        if not self.small:
            x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")
        for index, block in enumerate(self.blocks):
            if index:
                x = self.transitions[index - 1](x)
            for layer in block:
                x = layer(x)  # at the end [b, h/32, w/32, n]
        return self.head(nnx.relu(self.norm(x)).mean(axis=(1, 2)))


densenet121 = partial(DenseNet, blocks=(6, 12, 24, 16))
densenet169 = partial(DenseNet, blocks=(6, 12, 32, 32))
densenet201 = partial(DenseNet, blocks=(6, 12, 48, 32))
densenet264 = partial(DenseNet, blocks=(6, 12, 64, 48))
