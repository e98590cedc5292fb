"""IRNN: a recurrent network of rectified linear units whose recurrence begins as the identity.

Source: Le, Jaitly, Hinton, "A simple way to initialize recurrent networks of rectified linear units", arXiv
1504.00941, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgrad_models.errors import BuildError


class IRNN(nnx.Module):
    """Reads an image row by row, from the top, and classifies it by the last state.

    ``h_t = relu(x_t W_in + h_(t-1) W_rec + b)``, ``h_0 = 0``, where x_t is a row with its channels. W_rec begins as the
    identity, biases as 0 and W_in as normal of deviation .001, as the paper has them; there a step reads one pixel.

    Args:
        input_shape: (height, width, channels) of one image; the height is the number of steps.
        classes: how many logits come out.
        units: of the state, the paper's 100.
        rngs: where the initial weights come from.

    Raises:
        BuildError: ``units`` is no whole number of at least 1.
    """

    def __init__(self, input_shape: Sequence[int], classes: int, *, units: int = 100, rngs: nnx.Rngs) -> None:
        if not isinstance(units, int) or isinstance(units, bool) or units < 1:
            raise BuildError("units", units, "give a whole number of at least 1")
        _, width, channels = input_shape
        self.projection = nnx.Linear(width * channels, units, kernel_init=nnx.initializers.normal(0.001), rngs=rngs)
        self.recurrent = nnx.Linear(units, units, use_bias=False, kernel_init=_identity, rngs=rngs)
        self.head = nnx.Linear(units, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        rows = images.reshape(*images.shape[:2], -1).swapaxes(0, 1)

        def step(state: Float[Array, "b units"], row: Float[Array, "b features"]) -> tuple[Array, None]:
            return nnx.relu(self.projection(row) + self.recurrent(state)), None

        first = jnp.zeros((images.shape[0], self.recurrent.out_features), images.dtype)
        last, _ = jax.lax.scan(step, first, rows)
        return self.head(last)


def _identity(key: Array, shape: Sequence[int], dtype: DTypeLike, **placed: object) -> Float[Array, "n n"]:
    """An initialiser that draws nothing."""
    return jnp.eye(*shape, dtype=dtype)
