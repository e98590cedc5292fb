"""Number formats that emulation computes in: values rounded to them, in the dtype they have."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jaxgrad.base.errors import InputError
from jaxgrad.hardware import Precision

# Bits of exponent and mantissa of the formats that can be computed in.
_BITS = {"fp32": (8, 23), "bf16": (8, 7), "fp16": (5, 10)}


def rounded(tensor: str, values: Array, precision: Precision | None) -> Array:
    """``values`` rounded to the format that ``precision`` has for ``tensor``, in the dtype they have.

    What is too large becomes infinite; what is below the smallest normal number of the format becomes zero. Complex
    numbers are rounded part by part; integers stay as they are.
    """
    if precision is None or not jnp.issubdtype(values.dtype, jnp.inexact):
        return values
    bits = _BITS[precision.format(tensor).name]
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        return lax.complex(*(lax.reduce_precision(part, *bits) for part in (values.real, values.imag)))
    return lax.reduce_precision(values, *bits)


def check_computes(precision: Any) -> None:
    """Refuses formats that are for costs alone."""
    if not isinstance(precision, Precision):
        raise InputError("precision", precision, "give a Precision, such as Precision.of('bf16')")
    for field in ("x", "w", "dy", "dw"):
        name = getattr(precision, field)
        if name not in _BITS:
            raise InputError(
                f"precision.{field}",
                name,
                f"emulation computes in {', '.join(_BITS)}",
                problem=f"got {name!r}, which is for costs alone",
            )
    if precision.accumulator != "fp32":
        raise InputError("precision.accumulator", precision.accumulator, "emulation sums in fp32")
