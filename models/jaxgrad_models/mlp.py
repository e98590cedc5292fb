"""A multilayer perceptron: dense layers with ReLU between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from flax import nnx
from jax import Array
from jaxtyping import Float


class MLP(nnx.Module):
    """Dense layers over the flattened image, ReLU after each but the last.

    Args:
        input_shape: (height, width, channels) of one image.
        classes: how many logits come out.
        hidden: the widths of the hidden layers, from the image on.
        rngs: where the initial weights come from (He normal: ReLU halves the variance).
    """

    def __init__(
        self, input_shape: Sequence[int], classes: int, *, hidden: Sequence[int] = (256, 128), rngs: nnx.Rngs
    ) -> None:
        widths = [math.prod(input_shape), *hidden]
        self.hidden = nnx.List(
            nnx.Linear(n_in, n_out, kernel_init=nnx.initializers.he_normal(), rngs=rngs)
            for n_in, n_out in itertools.pairwise(widths)
        )
        self.head = nnx.Linear(widths[-1], classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = images.reshape(images.shape[0], -1)
        for layer in self.hidden:
            x = nnx.relu(layer(x))
        return self.head(x)
