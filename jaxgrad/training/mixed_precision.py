"""Mixed precision: computations in halves, parameters, statistics, losses and updates in float32.

Source: Micikevicius et al., Mixed Precision Training (ICLR 2018). What the array multiplies are then halves, and its
results are; ``emulation.precision`` is apart from that: it rounds operands on their way into the array, and all else
stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Bool, DTypeLike, Float, UInt32

Tree = TypeVar("Tree")

GROWTH, BACKOFF, INTERVAL = 2.0, 0.5, 2000
"""What a loss scale is multiplied by, in the step after so many without an overflow and after one with, as of
``flax.training.dynamic_scale``."""

_FIRST_SCALE = 2.0**16
_LEAST_SCALE = float(jnp.finfo(jnp.float32).tiny)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LossScale:
    """What the loss is multiplied by, so that small gradients are not lost in float16, whose exponents are few.

    >>> scale = LossScale.first()
    >>> float(scale.factor), float(scale.updated(jnp.array(False)).factor)
    (65536.0, 32768.0)

    Args:
        factor: of the loss, and so of all gradients.
        steps: without an overflow, since the last one or the last growth.
    """

    factor: Float[Array, ""]
    steps: UInt32[Array, ""]

    @classmethod
    def first(cls) -> LossScale:
        return cls(jnp.float32(_FIRST_SCALE), jnp.uint32(0))

    def updated(self, finite: Bool[Array, ""]) -> LossScale:
        """After a step whose gradients were all finite, or were not: then it is halved."""
        grows = self.steps == INTERVAL
        grown = jnp.where(grows, jnp.minimum(self.factor * GROWTH, jnp.finfo(jnp.float32).max), self.factor)
        factor = jnp.where(finite, grown, jnp.maximum(self.factor * BACKOFF, _LEAST_SCALE))
        return LossScale(factor, jnp.where(finite & ~grows, self.steps + 1, 0).astype(jnp.uint32))


@dataclass(frozen=True)
class MixedPrecision:
    """The type that a step computes in.

    Args:
        dtype: of parameters and images as a model meets them, and of what its layers compute.
        scaled: whether the loss is scaled, and a step skipped whose gradients overflow.
    """

    dtype: DTypeLike
    scaled: bool = False

    def set_in(self, model: nnx.Module) -> None:
        """Has the layers of a model compute in the type, where they do not say theirs themselves.

        Batch normalisation stays in float32 but for its result: its statistics, running or of the batch, are never
        rounded.
        """
        module: Any  # whatever attributes its class has
        for _, module in nnx.iter_modules(model):
            if getattr(module, "dtype", self.dtype) is None:
                module.dtype = self.dtype
                if isinstance(module, nnx.BatchNorm):
                    module.promote_dtype = _in_float32

    def cast(self, tree: Tree) -> Tree:
        """Floats in the type, and all else as it is."""
        return jax.tree.map(lambda leaf: leaf.astype(self.dtype) if _is_float(leaf) else leaf, tree)


FORMATS: Mapping[str, MixedPrecision] = {
    "bf16": MixedPrecision(jnp.bfloat16),
    "fp16": MixedPrecision(jnp.float16, scaled=True),
}
"""By name; float16 alone has too few exponents to do without a scale."""


def unscaled(gradients: Tree, scale: LossScale | None, like: Tree) -> Tree:
    """Gradients of the loss itself, in the types of the parameters that they update.

    Args:
        gradients: of the loss times its scale.
        scale: None where there was none.
        like: the parameters.
    """
    factor = 1 if scale is None else scale.factor
    return jax.tree.map(lambda leaf, parameter: leaf.astype(parameter.dtype) / factor, gradients, like)


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether no number of a tree is NaN or infinite."""
    return jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]))


def where(finite: Bool[Array, ""], new: Tree, old: Tree) -> Tree:
    """What a step makes of something, or what was there before where its gradients overflowed."""
    return jax.tree.map(lambda one, other: jnp.where(finite, one, other), new, old)


def floats_where(finite: Bool[Array, ""], new: Tree, old: Tree) -> Tree:
    """As ``where`` for floats, such as running statistics; random streams go on."""
    return jax.tree.map(lambda one, other: jnp.where(finite, one, other) if _is_float(one) else one, new, old)


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def _in_float32(arrays: Any, /, *, dtype: Any = None, inexact: bool = True) -> Any:
    """A layer's input, parameters and statistics, as of its ``promote_dtype``, whatever type its result has."""
    return tuple(
        None if array is None else array.astype(jnp.promote_types(array.dtype, jnp.float32)) for array in arrays
    )
