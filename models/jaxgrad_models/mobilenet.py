"""MobileNets, after Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision
applications", 2017 (arXiv:1704.04861), table 1, and Sandler et al., "MobileNetV2: inverted residuals and linear
bottlenecks", CVPR 2018, table 2."""

from __future__ import annotations

from collections.abc import Sequence

from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.layers import ConvNorm, small

# version 1: channels out and stride of each separable convolution
SEPARABLE: tuple[tuple[int, int], ...] = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
# version 2, the columns of its table: expansion t, channels out c, how many n, stride of the first s
BOTTLENECKS: tuple[tuple[int, int, int, int], ...] = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)


class Separable(nnx.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 across the channels, each with norm and ReLU.

    Args:
        n_in: channels in.
        n_out: channels out.
        stride: of the 3x3.
        rngs: where the initial weights come from.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int, rngs: nnx.Rngs) -> None:
        self.depthwise = ConvNorm(n_in, n_in, (3, 3), stride=stride, padding=1, groups=n_in, rngs=rngs)
        self.pointwise = ConvNorm(n_in, n_out, (1, 1), rngs=rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h_out w_out n_out"]:
        """A feature map to the next."""
        return self.pointwise(self.depthwise(x))


class MobileNetV1(nnx.Module):
    """A 3x3 stem, thirteen depthwise separable convolutions, global average pooling, one dense layer.

    A new model is in training mode, as that of ``resnet.ResNet`` tells.

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; height and width are free.
            On small ones (``layers.small``) the stem has a stride of 1.
        classes: how many logits come out.
        width: the paper's width multiplier; channels are rounded to a multiple of 8.
        blocks: channels out, before the multiplier, and stride of each separable convolution.
        rngs: where the initial weights come from.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        width: float = 1.0,
        blocks: Sequence[tuple[int, int]] = SEPARABLE,
        rngs: nnx.Rngs,
    ) -> None:
        n = _scaled(32, width)
        self.stem = ConvNorm(input_shape[-1], n, (3, 3), stride=1 if small(input_shape) else 2, padding=1, rngs=rngs)
        self.blocks = nnx.List([])
        for channels, stride in blocks:
            n_out = _scaled(channels, width)
            self.blocks.append(Separable(n, n_out, stride=stride, rngs=rngs))
            n = n_out
        self.head = nnx.Linear(n, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = self.stem(images)  # [b, h/2, w/2, 32]
        for block in self.blocks:
            x = block(x)  # at the end [b, h/32, w/32, 1024]
        return self.head(x.mean(axis=(1, 2)))


class InvertedResidual(nnx.Module):
    """A 1x1 that widens, a 3x3 of each channel by itself and a 1x1 that narrows, with no activation after the last.

    Where the shapes allow, the block's input is added to what comes out.

    Args:
        n_in: channels in.
        n_out: channels out.
        expansion: channels of the 3x3 in ``n_in``; 1 leaves the first 1x1 out.
        stride: of the 3x3.
        rngs: where the initial weights come from.
    """

    def __init__(self, n_in: int, n_out: int, *, expansion: int, stride: int, rngs: nnx.Rngs) -> None:
        n = n_in * expansion
        self.added = stride == 1 and n_in == n_out
        self.expand = None if expansion == 1 else ConvNorm(n_in, n, (1, 1), activation=nnx.relu6, rngs=rngs)
        self.depthwise = ConvNorm(n, n, (3, 3), stride=stride, padding=1, groups=n, activation=nnx.relu6, rngs=rngs)
        self.project = ConvNorm(n, n_out, (1, 1), activation=None, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h_out w_out n_out"]:
        """A feature map to the next."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.added else y


class MobileNetV2(nnx.Module):
    """A 3x3 stem, seventeen inverted residuals, a 1x1 convolution, global average pooling, dropout, one dense layer.

    A new model is in training mode (see ``resnet.ResNet``): dropout too is at work in it.

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; height and width are free.
            On small ones (``layers.small``) the stem has a stride of 1.
        classes: how many logits come out.
        width: the paper's width multiplier; channels are rounded to a multiple of 8. The last 1x1 only grows with it.
        blocks: rows of expansion, channels out before the multiplier, how many, and the stride of the first of them.
        rngs: where the initial weights come from, and what dropout draws from.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        width: float = 1.0,
        blocks: Sequence[tuple[int, int, int, int]] = BOTTLENECKS,
        rngs: nnx.Rngs,
    ) -> None:
        n = _scaled(32, width)
        stride = 1 if small(input_shape) else 2
        self.stem = ConvNorm(input_shape[-1], n, (3, 3), stride=stride, padding=1, activation=nnx.relu6, rngs=rngs)
        self.blocks = nnx.List([])
        for expansion, channels, count, first_stride in blocks:
            n_out = _scaled(channels, width)
            for index in range(count):
                stride = 1 if index else first_stride
                self.blocks.append(InvertedResidual(n, n_out, expansion=expansion, stride=stride, rngs=rngs))
                n = n_out
        n_last = _scaled(1280, max(width, 1.0))
        self.last = ConvNorm(n, n_last, (1, 1), activation=nnx.relu6, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.head = nnx.Linear(n_last, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = self.stem(images)  # [b, h/2, w/2, 32]
        for block in self.blocks:
            x = block(x)  # at the end [b, h/32, w/32, 320]
        x = self.last(x)
        return self.head(self.dropout(x.mean(axis=(1, 2))))


def _scaled(channels: int, width: float) -> int:
    """The nearest multiple of 8, and never less than nine tenths of what was asked (version 2's reference code)."""
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled
