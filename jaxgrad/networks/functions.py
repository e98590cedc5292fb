"""A plain JAX function as a network: its parameters become a module's, which then trains as others do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad.networks import constructors

GIVEN = (*constructors.GIVEN, "key")
"""What an ``init`` may ask for: ``key`` is a JAX key."""


class Constant(nnx.Variable[Any]):
    """What is among a function's parameters and is no float: it is not trained."""


class FunctionNetwork(nnx.Module):
    """A function of its parameters and the images.

    Args:
        apply: (parameters, images) to logits, without state of its own.
        params: a pytree of arrays. Floats are trained.
    """

    def __init__(self, apply: Callable[[Any, Array], Array], params: Any) -> None:
        self.apply = apply
        self.params = nnx.data(jax.tree.map(_variable, params))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        params = jax.tree.map(lambda leaf: leaf[...], self.params, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
        return self.apply(params, images)


def build(
    apply: Callable[[Any, Array], Array],
    init: Callable[..., Any],
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    rngs: nnx.Rngs,
    **options: Any,
) -> FunctionNetwork:
    """The network of a function.

    Args:
        apply: the function.
        init: gives its parameters, from those of ``GIVEN`` that its signature names.
        input_shape: (height, width, channels) of one image.
        classes: how many logits.
        rngs: where the key comes from.
        options: of ``init``.
    """
    values = {"input_shape": input_shape, "classes": classes, "rngs": rngs, "key": rngs.params()}
    return FunctionNetwork(apply, constructors.call(init, values, options))


def _variable(leaf: Any) -> nnx.Variable[Any]:
    value = jnp.asarray(leaf)
    return nnx.Param(value) if jnp.issubdtype(value.dtype, jnp.floating) else Constant(value)
