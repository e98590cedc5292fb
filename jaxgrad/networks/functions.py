"""A plain JAX function as a network: its parameters become a module's, which then trains as others do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jaxgrad.networks import constructors, places

GIVEN = (*constructors.GIVEN, "key")
"""What an ``init`` may ask for: ``key`` is a JAX key."""


class Constant(nnx.Variable[Any]):
    """What is among a function's parameters and is no float: it is not trained."""


class FunctionNetwork(nnx.Module):
    """A function of its parameters and the images.

    Its layers have the names of its parameters' places (``places``).

    Args:
        apply: (parameters, images) to logits, without state of its own.
        params: a pytree of arrays. Floats are trained.
    """

    def __init__(self, apply: Callable[[Any, Array], Array], params: Any) -> None:
        self.apply = apply
        # Entries of a dictionary are attributes, so that parameters are where the layers' names say.
        self.whole = not (isinstance(params, dict) and all(map(_is_free, params)))
        entries = {"params": params} if self.whole else params
        self.keys = tuple(entries)
        for key, entry in entries.items():
            setattr(self, key, nnx.data(jax.tree.map(_variable, entry)))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        variables = {key: getattr(self, key) for key in self.keys}
        entries = jax.tree.map(lambda leaf: leaf[...], variables, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
        return places.named(self._logits, entries, images)

    def _logits(self, entries: dict[str, Any], images: Array) -> Array:
        return self.apply(entries["params"] if self.whole else entries, images)


def build(
    apply: Callable[[Any, Array], Array],
    init: Callable[..., Any],
    *,
    input_shape: tuple[int, ...],
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


def _is_free(name: Any) -> bool:
    """Whether an attribute may have a name."""
    return isinstance(name, str) and name not in (*dir(FunctionNetwork), "apply", "whole", "keys")


def _variable(leaf: Any) -> nnx.Variable[Any]:
    value = jnp.asarray(leaf)
    return nnx.Param(value) if jnp.issubdtype(value.dtype, jnp.floating) else Constant(value)
