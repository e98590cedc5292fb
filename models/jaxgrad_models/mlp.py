"""A multilayer perceptron: dense layers with ReLU or tanh between them, batch normalisation before it if wanted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad_models import activations, initializers
from jaxgrad_models.errors import BuildError, is_size
from jaxgrad_models.layers import norm


class MLP(nnx.Module):
    """Dense layers over the flattened image, ReLU, or what ``activation`` names, after each but the last.

    Args:
        input_shape: (height, width, channels) of one image.
        classes: how many logits come out.
        hidden: the widths of the hidden layers, from the image on.
        batch_norm: whether each hidden layer is normalised over the batch before its activation.
        kernel_init: of the hidden layers' weights, one of ``initializers.NAMES``.
        activation: of the hidden layers, one of ``activations.NAMES``.
        rngs: where the initial weights come from.

    Raises:
        BuildError: a width is no size, or there is no such initialiser or activation.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        hidden: Sequence[int] = (256, 128),
        batch_norm: bool = False,
        kernel_init: str = "he_normal",
        activation: str = "relu",
        rngs: nnx.Rngs,
    ) -> None:
        if not all(map(is_size, hidden)):
            raise BuildError("hidden", hidden, "give the width of each hidden layer, each at least 1")
        widths = [math.prod(input_shape), *hidden]
        layer = NormalisedDense if batch_norm else nnx.Linear
        initial = initializers.kernel(kernel_init)
        self.activation = activations.function(activation)
        self.hidden = nnx.List(
            layer(n_in, n_out, kernel_init=initial, rngs=rngs) for n_in, n_out in itertools.pairwise(widths)
        )
        self.head = nnx.Linear(widths[-1], classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = images.reshape(images.shape[0], -1)
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.head(x)


class NormalisedDense(nnx.Module):
    """A dense layer and batch normalisation, which takes the place of the layer's bias.

    Args:
        n_in: features in.
        n_out: features out.
        kernel_init: of the layer's weights.
        rngs: where the initial weights come from.
    """

    def __init__(self, n_in: int, n_out: int, *, kernel_init: Any, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(n_in, n_out, use_bias=False, kernel_init=kernel_init, rngs=rngs)
        self.norm = norm(n_out, rngs)

    def __call__(self, x: Float[Array, "b n_in"]) -> Float[Array, "b n_out"]:
        """One layer."""
        return self.norm(self.dense(x))
