"""Coarse derivatives: what stands for those of a staircase, which are zero almost everywhere.

Each is told an input by its code, and by whether it lies beyond the last level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Num

from jaxgrad.base.registry import Names, Registry

Factor = Callable[[Num[Array, "..."], Bool[Array, "..."] | None, int], Float32[Array, "..."]]
"""Of codes, which inputs lie beyond the last level, and bits: the derivative's factor, an element an input."""


@dataclass(frozen=True)
class Coarse:
    """A coarse derivative, by the input or by the resolution.

    Args:
        name: what users call it.
        factor: of each input, of the chain rule's product.
        saturates: whether it asks which inputs lie beyond the last level; a flag an input is kept for that.
        levels: whether it asks for the codes themselves; otherwise it may be told 1 for each code above zero.
    """

    name: str
    factor: Factor
    saturates: bool = False
    levels: bool = False

    def __hash__(self) -> int:
        return hash(self.name)


_BY_INPUT: Registry[Coarse] = Registry("by_input", Coarse)
_BY_RESOLUTION: Registry[Coarse] = Registry("by_resolution", Coarse)
register_by_input, find_by_input = _BY_INPUT.register, _BY_INPUT.find
register_by_resolution, find_by_resolution = _BY_RESOLUTION.register, _BY_RESOLUTION.find

BY_INPUT: Names[Coarse] = _BY_INPUT.names()
BY_RESOLUTION: Names[Coarse] = _BY_RESOLUTION.names()


def _inside(codes: Array, beyond: Array | None) -> Array:
    """Which inputs lie on the stairs: above zero, and not beyond the last level."""
    return (codes > 0) & ~beyond if beyond is not None else codes > 0


CLIPPED_RELU = register_by_input(
    Coarse("clipped_relu", lambda codes, beyond, bits: _inside(codes, beyond).astype(jnp.float32), saturates=True)
)
RELU = register_by_input(Coarse("relu", lambda codes, beyond, bits: (codes > 0).astype(jnp.float32)))
IDENTITY = register_by_input(Coarse("identity", lambda codes, beyond, bits: jnp.ones(codes.shape, jnp.float32)))


def _by_resolution(middle: Callable[[int], int]) -> Factor:
    """0 below the stairs, the last level beyond them, and a number in between."""

    def factor(codes: Array, beyond: Array | None, bits: int) -> Array:
        outside = 0.0 if beyond is None else jnp.where(beyond, 2.0**bits - 1, 0.0)
        return jnp.where(_inside(codes, beyond), float(middle(bits)), outside)

    return factor


THREE_VALUED = register_by_resolution(
    Coarse("three_valued", _by_resolution(lambda bits: 2 ** (bits - 1)), saturates=True)
)
PACT = register_by_resolution(Coarse("pact", _by_resolution(lambda bits: 0), saturates=True))
# That of `a clip(ceil(x / a), 0, L)` where it has one: the level itself, also beyond the last one.
EXACT = register_by_resolution(Coarse("exact", lambda codes, beyond, bits: codes.astype(jnp.float32), levels=True))
