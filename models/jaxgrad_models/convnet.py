"""The convolutional network of RAD's experiments, after Oktay et al., "Randomized Automatic Differentiation", ICLR 2021
(arXiv 2007.10412)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models.errors import BuildError

_MAPS = (16, 32, 32, 32)


class ConvNet(nnx.Module):
    """Four 5x5 convolutions of 16, 32, 32 and 32 maps, padded, average pooling by 2 after every second one, one dense
    layer. ReLU follows each convolution, or its pooling, as the paper's memory tells: it stores masks of pooled maps.

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
            raise BuildError("input_shape", tuple(input_shape), "convnet needs height and width of at least 4")
        he = nnx.initializers.he_normal()
        self.convs = nnx.List(
            nnx.Conv(maps_in, maps_out, (5, 5), kernel_init=he, rngs=rngs)
            for maps_in, maps_out in itertools.pairwise((channels, *_MAPS))
        )
        self.head = nnx.Linear((height // 4) * (width // 4) * _MAPS[-1], classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = images
        for number, conv in enumerate(self.convs):
            x = conv(x)
            if number % 2:
                x = nnx.avg_pool(x, (2, 2), strides=(2, 2))
            x = nnx.relu(x)
        return self.head(x.reshape(x.shape[0], -1))
