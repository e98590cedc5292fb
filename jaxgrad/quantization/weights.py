"""Weights of a few bits: integer codes and one scale a tensor.

The projections are those of blended coarse gradient descent (Yin et al. 2019, arXiv 1808.05240). Of one bit, and of any
codes, the scale is that of the least squared distance to the weights; ternary codes and those of 3 bits and more come
from a threshold and a grid that are fixed by the weights' mean and largest magnitude.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float32, Int8

from jaxgrad.base.errors import few_bits

TERNARY_THRESHOLD = 0.7
"""Of the mean magnitude: smaller weights become zero."""


class Projected(NamedTuple):
    """A tensor as ``scale * codes``.

    Args:
        codes: integers.
        scale: of all of them.
    """

    codes: Int8[Array, "..."]
    scale: Float32[Array, ""]

    @property
    def values(self) -> Float32[Array, "..."]:
        """What the codes stand for."""
        return self.scale * self.codes.astype(jnp.float32)


def project(weights: Float[Array, "..."], bits: int) -> Projected:
    """Weights of so many bits, with one scale.

    - 1 bit: ``sign(w)``, of zero +1, times ``mean|w|``, which is the nearest tensor of that form.
    - 2 bits: ternary, ``sign(w)`` where ``|w| >= 0.7 mean|w|``, times the mean of those magnitudes.
    - 3 bits and more: with ``s = 2 max|w| / (2^bits - 1)``, ``sign(w) clip(ceil(|w| / s - 1/2), 0, 2^(bits-1) - 1)``,
      times the scale of the least squared distance for these codes.

    A tensor of zeros has scale 0.

    Args:
        weights: any tensor.
        bits: from 1 to 8.

    Raises:
        InputError: ``bits`` is none of these.

    >>> codes, scale = project(jnp.array([0.5, -1.0, 0.0, 2.5]), 1)
    >>> codes.tolist(), float(scale)
    ([1, -1, 1, 1], 1.0)
    >>> project(jnp.array([0.5, -1.0, 0.0, 2.5]), 2).codes.tolist()
    [0, -1, 0, 1]
    """
    few_bits("bits", bits)
    weights = jnp.asarray(weights, jnp.float32)
    magnitudes, signs = jnp.abs(weights), jnp.where(weights < 0, -1, 1).astype(jnp.int8)
    if bits == 1:
        return Projected(signs, magnitudes.mean())
    if bits == 2:
        levels = (magnitudes >= TERNARY_THRESHOLD * magnitudes.mean()).astype(jnp.int8)
    else:
        step = 2 * magnitudes.max() / (2**bits - 1)
        steps = jnp.ceil(magnitudes / jnp.where(step > 0, step, 1) - 0.5)
        levels = jnp.clip(steps, 0, 2 ** (bits - 1) - 1).astype(jnp.int8)
    reach = levels.astype(jnp.float32)
    # Of ternary codes this is the mean of the magnitudes that are kept.
    return Projected(signs * levels, (magnitudes * reach).sum() / jnp.maximum((reach * reach).sum(), 1))
