"""A convolutional network of LeNet-5's size, after LeCun et al., "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998."""

from __future__ import annotations

from collections.abc import Sequence

from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.errors import BuildError


class LeNet(nnx.Module):
    """LeNet-5's layers (5x5 convolutions of 6 and 16 maps, then dense layers of 120 and 84) for images of any size.

    It departs from the paper in what has become custom, ReLU for tanh, max for trainable average pooling, every map
    connected to every other; and in padding both convolutions, so that 8x8 digits go through it as 28x28 and 32x32 do.

    Args:
        input_shape: (height, width, channels) of one image, height and width at least 4 (it is halved twice).
        classes: how many logits come out.
        rngs: where the initial weights come from (He normal: ReLU halves the variance).

    Raises:
        BuildError: the image is too small to be halved twice.
    """

    def __init__(self, input_shape: Sequence[int], classes: int, *, rngs: nnx.Rngs) -> None:
        height, width, channels = input_shape
        if min(height, width) < 4:
            raise BuildError("input_shape", tuple(input_shape), "lenet needs height and width of at least 4")
        he = nnx.initializers.he_normal()
        self.conv1 = nnx.Conv(channels, 6, (5, 5), kernel_init=he, rngs=rngs)
        self.conv2 = nnx.Conv(6, 16, (5, 5), kernel_init=he, rngs=rngs)
        self.dense1 = nnx.Linear((height // 4) * (width // 4) * 16, 120, kernel_init=he, rngs=rngs)
        self.dense2 = nnx.Linear(120, 84, kernel_init=he, rngs=rngs)
        self.head = nnx.Linear(84, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = nnx.relu(self.conv1(images))  # [b, h, w, 6]
        x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        x = nnx.relu(self.conv2(x))  # [b, h/2, w/2, 16]
        x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dense1(x))
        x = nnx.relu(self.dense2(x))
        return self.head(x)
