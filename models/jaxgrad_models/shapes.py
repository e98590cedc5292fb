"""Networks in shapes: what a constructor builds, without a weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
from flax import nnx

Model = TypeVar("Model", bound=nnx.Module)


class _OneKey(nnx.RngStream):
    """Gives one key again and again: shapes need no more.

    Flax counts keys by writing a variable. In a trace JAX goes through all equations so far each time, since Flax asks
    the traced count for its sharding, and a deep network takes seconds.
    """

    def __call__(self) -> jax.Array:
        return self.key[...]


def of(make: Callable[[nnx.Rngs], Model]) -> Model:
    """What ``make`` gives, its variables ``jax.ShapeDtypeStruct``s."""

    def made() -> Model:
        rngs = nnx.Rngs(0)
        rngs.default = _OneKey(0, tag="default")  # pyright: ignore[reportAttributeAccessIssue]  # streams are attributes
        return make(rngs)

    return nnx.eval_shape(made)
