"""AlexNet, after Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012."""

from __future__ import annotations

from collections.abc import Sequence

from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.errors import BuildError, is_size
from jaxgrad_models.layers import conv, local_response_norm

SMALLEST = 63  # what leaves one pixel after the stride of 4 and three unpadded poolings


class AlexNet(nnx.Module):
    """Five convolutions, the second, fourth and fifth in two groups (the paper's two GPUs), and three dense layers,
    with dropout before the first two.

    A 224x224 image, as the paper has it, only makes the paper's 55x55 map with two pixels of padding.

    A new model is in training mode, in which dropout is at work; ``model.eval()`` takes it out.

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; at least 63 high and wide. The
            first dense layer is smaller on smaller images.
        classes: how many logits come out.
        hidden: the widths of the first two dense layers.
        rngs: where the initial weights come from (He normal), and what dropout draws from.

    Raises:
        BuildError: the image is too small for the strides, or ``hidden`` is no two widths.
    """

    def __init__(
        self, input_shape: Sequence[int], classes: int, *, hidden: Sequence[int] = (4096, 4096), rngs: nnx.Rngs
    ) -> None:
        height, width, channels = input_shape
        if min(height, width) < SMALLEST:
            raise BuildError(
                "input_shape", tuple(input_shape), f"alexnet needs height and width of at least {SMALLEST}"
            )
        if len(hidden) != 2 or not all(map(is_size, hidden)):
            raise BuildError("hidden", hidden, "alexnet needs two widths, each at least 1")
        self.conv1 = conv(channels, 96, (11, 11), stride=4, padding=2, bias=True, rngs=rngs)
        self.conv2 = conv(96, 256, (5, 5), padding=2, groups=2, bias=True, rngs=rngs)
        self.conv3 = conv(256, 384, (3, 3), padding=1, bias=True, rngs=rngs)
        self.conv4 = conv(384, 384, (3, 3), padding=1, groups=2, bias=True, rngs=rngs)
        self.conv5 = conv(384, 256, (3, 3), padding=1, groups=2, bias=True, rngs=rngs)
        he = nnx.initializers.he_normal()
        self.dense1 = nnx.Linear(_pixels(height) * _pixels(width) * 256, hidden[0], kernel_init=he, rngs=rngs)
        self.dense2 = nnx.Linear(*hidden, kernel_init=he, rngs=rngs)
        self.head = nnx.Linear(hidden[1], classes, rngs=rngs)
        self.dropout1 = nnx.Dropout(0.5, rngs=rngs)
        self.dropout2 = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = local_response_norm(nnx.relu(self.conv1(images)))
        x = _pool(x)  # [b, 27, 27, 96] of a 224x224 image
        x = local_response_norm(nnx.relu(self.conv2(x)))
        x = _pool(x)  # [b, 13, 13, 256]
        x = nnx.relu(self.conv3(x))
        x = nnx.relu(self.conv4(x))
        x = nnx.relu(self.conv5(x))
        x = _pool(x)  # [b, 6, 6, 256]
        x = self.dropout1(x.reshape(x.shape[0], -1))
        x = self.dropout2(nnx.relu(self.dense1(x)))
        x = nnx.relu(self.dense2(x))
        return self.head(x)


def _pool(x: Array) -> Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2))


def _pixels(size: int) -> int:
    """Pixels a side of the last map, of ``size`` in the image."""
    size = (size - 7) // 4 + 1
    for _ in range(3):
        size = (size - 3) // 2 + 1
    return size
