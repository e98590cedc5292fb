"""VGG, after Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
table 1 (A, D and E)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.errors import BuildError, is_size
from jaxgrad_models.layers import conv

WIDTHS = (64, 128, 256, 512, 512)
SMALLEST = 2 ** len(WIDTHS)


class VGG(nnx.Module):
    """Five stages of 3x3 convolutions with ReLU, each stage ending in a max pooling that halves the map; then three
    dense layers, with dropout before the second and the third.

    There is no normalisation, as in the paper. The first dense layer takes the map as the last pooling leaves it, 7x7
    of a 224x224 image, and is smaller on smaller images.

    A new model is in training mode, in which dropout is at work; ``model.eval()`` takes it out.

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; at least 32 high and wide.
        classes: how many logits come out.
        convs: convolutions in each of the five stages.
        hidden: the widths of the first two dense layers.
        rngs: where the initial weights come from (He normal), and what dropout draws from.

    Raises:
        BuildError: the image is too small to be halved five times, or ``hidden`` is no two widths.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        convs: tuple[int, int, int, int, int],
        hidden: Sequence[int] = (4096, 4096),
        rngs: nnx.Rngs,
    ) -> None:
        height, width, n = input_shape
        if min(height, width) < SMALLEST:
            raise BuildError("input_shape", tuple(input_shape), f"vgg needs height and width of at least {SMALLEST}")
        if len(hidden) != 2 or not all(map(is_size, hidden)):
            raise BuildError("hidden", hidden, "vgg needs two widths, each at least 1")
        self.convs = nnx.List([])
        for n_out, count in zip(WIDTHS, convs, strict=True):
            stage = nnx.List([])
            for _ in range(count):
                stage.append(conv(n, n_out, (3, 3), padding=1, bias=True, rngs=rngs))
                n = n_out
            self.convs.append(stage)
        he = nnx.initializers.he_normal()
        self.dense1 = nnx.Linear((height // SMALLEST) * (width // SMALLEST) * n, hidden[0], kernel_init=he, rngs=rngs)
        self.dense2 = nnx.Linear(*hidden, kernel_init=he, rngs=rngs)
        self.head = nnx.Linear(hidden[1], classes, rngs=rngs)
        self.dropout1 = nnx.Dropout(0.5, rngs=rngs)
        self.dropout2 = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = images
        for stage in self.convs:
            for layer in stage:
                x = nnx.relu(layer(x))
            x = nnx.max_pool(x, (2, 2), strides=(2, 2))  # at the end [b, h/32, w/32, 512]
        x = x.reshape(x.shape[0], -1)
        x = self.dropout1(nnx.relu(self.dense1(x)))
        x = self.dropout2(nnx.relu(self.dense2(x)))
        return self.head(x)


vgg11 = partial(VGG, convs=(1, 1, 2, 2, 2))
vgg16 = partial(VGG, convs=(2, 2, 3, 3, 3))
vgg19 = partial(VGG, convs=(2, 2, 4, 4, 4))
