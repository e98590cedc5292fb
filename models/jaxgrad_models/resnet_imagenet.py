"""Residual networks for large images, after He et al., "Deep residual learning for image recognition", CVPR 2016,
table 1 (ImageNet)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.layers import conv, norm, small

WIDTHS = (64, 128, 256, 512)


class Basic(nnx.Module):
    """Two 3x3 convolutions added to the block's input (the paper's figure 5, left).

    Where the block halves the map or widens it, its input goes through a 1x1 convolution (the paper's option B).

    Args:
        n_in: channels in.
        width: channels of the convolutions.
        stride: 2 halves height and width (rounded up), 1 keeps them.
        rngs: where the initial weights come from.
    """

    expansion = 1  # channels out, in widths

    def __init__(self, n_in: int, width: int, *, stride: int, rngs: nnx.Rngs) -> None:
        self.conv1 = conv(n_in, width, (3, 3), stride=stride, padding=1, rngs=rngs)
        self.norm1 = norm(width, rngs)
        self.conv2 = conv(width, width, (3, 3), padding=1, rngs=rngs)
        self.norm2 = norm(width, rngs)
        self.projection = _projection(n_in, width, stride, rngs)
        self.projection_norm = None if self.projection is None else norm(width, rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h_out w_out width"]:
        """One block: a feature map to the next."""
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.projection is not None and self.projection_norm is not None:
            x = self.projection_norm(self.projection(x))
        return nnx.relu(y + x)


class Bottleneck(nnx.Module):
    """A 1x1, a 3x3 and a widening 1x1 convolution added to the block's input (the paper's figure 5, right).

    The stride is on the 3x3 and not on the first 1x1, as has become custom; the shortcut is ``Basic``'s.

    Args:
        n_in: channels in.
        width: channels of the 3x3; four times as many come out.
        stride: 2 halves height and width (rounded up), 1 keeps them.
        rngs: where the initial weights come from.
    """

    expansion = 4

    def __init__(self, n_in: int, width: int, *, stride: int, rngs: nnx.Rngs) -> None:
        n_out = width * self.expansion
        self.conv1 = conv(n_in, width, (1, 1), rngs=rngs)
        self.norm1 = norm(width, rngs)
        self.conv2 = conv(width, width, (3, 3), stride=stride, padding=1, rngs=rngs)
        self.norm2 = norm(width, rngs)
        self.conv3 = conv(width, n_out, (1, 1), rngs=rngs)
        self.norm3 = norm(n_out, rngs)
        self.projection = _projection(n_in, n_out, stride, rngs)
        self.projection_norm = None if self.projection is None else norm(n_out, rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h_out w_out n_out"]:
        """One block: a feature map to the next."""
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = nnx.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        if self.projection is not None and self.projection_norm is not None:
            x = self.projection_norm(self.projection(x))
        return nnx.relu(y + x)


class ImageNetResNet(nnx.Module):
    """A 7x7 stem and a max pooling, each halving the map, four stages of 64, 128, 256 and 512 channels (the last three
    opening with a halving), global average pooling, one dense layer. On small images (``layers.small``) the stem is 3x3
    at a stride of 1, and there is no max pooling.

    A new model is in training mode, as that of ``resnet.ResNet`` tells.

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; height and width are free.
        classes: how many logits come out.
        block: what the stages are made of.
        blocks: how many of it in each of the four stages.
        rngs: where the initial weights come from (He normal, as in the paper).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        block: type[Basic] | type[Bottleneck],
        blocks: tuple[int, int, int, int],
        rngs: nnx.Rngs,
    ) -> None:
        self.small = small(input_shape)
        kernel, stride, padding = ((3, 3), 1, 1) if self.small else ((7, 7), 2, 3)
        self.stem = conv(input_shape[-1], WIDTHS[0], kernel, stride=stride, padding=padding, rngs=rngs)
        self.stem_norm = norm(WIDTHS[0], rngs)
        self.stages = nnx.List([])
        n_in = WIDTHS[0]
        for width, count in zip(WIDTHS, blocks, strict=True):
            stage = nnx.List([])
            for index in range(count):
                stride = 2 if index == 0 and width != WIDTHS[0] else 1
                stage.append(block(n_in, width, stride=stride, rngs=rngs))
                n_in = width * block.expansion
            self.stages.append(stage)
        self.head = nnx.Linear(n_in, classes, kernel_init=nnx.initializers.he_normal(), rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = nnx.relu(self.stem_norm(self.stem(images)))  # [b, h/2, w/2, 64]
        if not self.small:
            x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")
        for stage in self.stages:
            for block in stage:
                x = block(x)  # at the end [b, h/32, w/32, n]
        return self.head(x.mean(axis=(1, 2)))


# The paper counts 1.8, 3.6, 3.8, 7.6 and 11.3 G multiply-adds, the last three with the stride on the first 1x1.
resnet18 = partial(ImageNetResNet, block=Basic, blocks=(2, 2, 2, 2))
resnet34 = partial(ImageNetResNet, block=Basic, blocks=(3, 4, 6, 3))
resnet50 = partial(ImageNetResNet, block=Bottleneck, blocks=(3, 4, 6, 3))
resnet101 = partial(ImageNetResNet, block=Bottleneck, blocks=(3, 4, 23, 3))
resnet152 = partial(ImageNetResNet, block=Bottleneck, blocks=(3, 8, 36, 3))


def _projection(n_in: int, n_out: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv | None:
    if stride == 1 and n_in == n_out:
        return None
    return conv(n_in, n_out, (1, 1), stride=stride, padding="VALID", rngs=rngs)
