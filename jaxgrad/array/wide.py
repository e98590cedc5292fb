"""Exact unsigned 64-bit arithmetic on pairs of uint32, since JAX's own 64-bit integers are a process-wide switch.

A ``Wide`` is ``(high, low)`` and stands for ``high * 2**32 + low``. Everything traces, and is exact modulo 2**64.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Num, UInt32

_HALF = 16
_MASK = (1 << _HALF) - 1
# A sum of this many 16-bit numbers still fits 32 bits.
_SAFE_TERMS = 1 << _HALF


class Wide(NamedTuple):
    high: Array
    low: Array


def of(value: int) -> Wide:
    """A Python int, 0 <= value < 2**64, as a pair of uint32 scalars."""
    return Wide(jnp.uint32(value >> 32), jnp.uint32(value & 0xFFFFFFFF))


def add(a: Wide, b: Wide) -> Wide:
    """``a + b``, elementwise, with the carry."""
    low = a.low + b.low
    carry = (low < b.low).astype(jnp.uint32)
    return Wide(a.high + b.high + carry, low)


def subtract(a: Wide, b: Wide) -> Wide:
    """``a - b``, elementwise, with the borrow."""
    borrow = (a.low < b.low).astype(jnp.uint32)
    return Wide(a.high - b.high - borrow, a.low - b.low)


def multiply(a: UInt32[Array, "..."], b: UInt32[Array, "..."]) -> Wide:
    """The full product of two uint32 arrays, elementwise, by halves of 16 bits."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    a_high, a_low = a >> _HALF, a & _MASK
    b_high, b_low = b >> _HALF, b & _MASK
    cross = a_high * b_low + ((a_low * b_low) >> _HALF)  # below 2**32: (2**16-1)**2 + 2**16 - 1
    middle = (cross & _MASK) + a_low * b_high  # likewise
    high = a_high * b_high + (cross >> _HALF) + (middle >> _HALF)
    return Wide(high, a * b)


def total(values: UInt32[Array, "..."]) -> Wide:
    """The sum of all elements, exact whatever their number and size."""
    return fold(Wide(jnp.zeros_like(values), values))


def fold(values: Wide, axis_count: int | None = None) -> Wide:
    """The sum over the leading ``axis_count`` axes (all of them by default) of an array of pairs."""
    shape = values.low.shape
    kept = () if axis_count is None else shape[axis_count:]
    terms = math.prod(shape) // math.prod(kept) if math.prod(shape) else 0
    high, low = (part.reshape(terms, *kept) for part in values)
    while terms > 1:
        chunk = min(terms, _SAFE_TERMS)
        padding = [(0, -terms % chunk)] + [(0, 0)] * len(kept)
        high, low = (jnp.pad(part, padding).reshape(-1, chunk, *kept) for part in (high, low))
        low_sum = (low & _MASK).sum(1, dtype=jnp.uint32)
        middle_sum = (low >> _HALF).sum(1, dtype=jnp.uint32)
        carried = add(Wide(jnp.zeros_like(low_sum), low_sum), Wide(middle_sum >> _HALF, middle_sum << _HALF))
        high, low = carried.high + high.sum(1, dtype=jnp.uint32), carried.low
        terms = low.shape[0]
    if terms == 0:
        return Wide(jnp.zeros(kept, jnp.uint32), jnp.zeros(kept, jnp.uint32))
    return Wide(high[0], low[0])


def dot(a: UInt32[Array, "..."], b: UInt32[Array, "..."]) -> Wide:
    """The sum of ``a * b`` over all elements, exact modulo 2**64."""
    return fold(multiply(a, b))


def nonzero(values: Num[Array, "..."]) -> Bool[Array, "..."]:
    """Whether each number is other than zero; floats other than +0 and -0, by their bits.

    XLA on CPU flushes subnormals to zero in comparisons; the multiplier of a PE sees an operand that is not zero. NaN
    and infinities are not zero.
    """
    if not jnp.issubdtype(values.dtype, jnp.floating):
        return values != 0
    width = 8 * values.dtype.itemsize
    bits = lax.bitcast_convert_type(values, jnp.dtype(f"int{width}"))
    magnitude = bits & jnp.iinfo(bits.dtype).max
    # LLVM turns a comparison of the bits back into one of floats, which flushes; a conversion in between it leaves.
    return jnp.ceil(magnitude.astype(jnp.float32) * 2.0 ** (1 - width)) != 0


def count_nonzero(values: Num[Array, "..."], axis: int | tuple[int, ...] | None = None) -> UInt32[Array, "..."]:
    """How many elements are non-zero along ``axis``; exact below 2**32."""
    return nonzero(values).sum(axis, dtype=jnp.uint32)
