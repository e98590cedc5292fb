"""Activations of a few bits: ``a clip(ceil(x / a), 0, 2^bits - 1)``, with a learned resolution a.

From Yin et al. (arXiv 1808.05240). Inputs below zero become zero, as after a ReLU.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, UInt8

from jaxgrad.base.errors import few_bits

_PUBLISHED = {1: 1.2221, 2: 0.6511, 4: 0.1946}
"""Resolutions after batch normalisation, by bits."""

RANGE = 1e-3, 5.0
"""In which a resolution is kept."""


def last_level(bits: int) -> int:
    """The largest code."""
    return 2**bits - 1


def activation_codes(
    inputs: Float[Array, "..."], resolution: Float[Array, ""], bits: int
) -> tuple[UInt8[Array, "..."], Bool[Array, "..."]]:
    """The codes of inputs, and which inputs lie beyond the last level. NaN has code 0.

    Raises:
        InputError: ``bits`` is not from 1 to 8.

    >>> codes, beyond = activation_codes(jnp.array([-1.0, 0.0, 0.2, 0.5, 1.6]), jnp.float32(0.5), 2)
    >>> codes.tolist(), beyond.tolist()
    ([0, 0, 1, 1, 3], [False, False, False, False, True])
    """
    few_bits("bits", bits)
    levels, last = jnp.ceil(inputs.astype(jnp.float32) / resolution), last_level(bits)
    return jnp.clip(jnp.nan_to_num(levels), 0, last).astype(jnp.uint8), levels > last


def initial_resolution(bits: int) -> float:
    """Where a resolution begins: the published one for 1, 2 and 4 bits, which suits inputs that were batch-normalised.

    Of 3 bits it is the geometric mean of its neighbours'; of more than 4 the range of 4 bits, ``15 * 0.1946``, in
    ``2^bits - 1`` parts.

    Raises:
        InputError: ``bits`` is not from 1 to 8.

    >>> initial_resolution(4), round(initial_resolution(3), 4), round(initial_resolution(8), 5)
    (0.1946, 0.356, 0.01145)
    """
    few_bits("bits", bits)
    if bits > 4:
        return _PUBLISHED[4] * last_level(4) / last_level(bits)
    return _PUBLISHED.get(bits) or (_PUBLISHED[bits - 1] * _PUBLISHED[bits + 1]) ** 0.5
