"""What the array's products take: matrices of floats that go together."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from jaxgrad.base.errors import InputError

_DTYPES = ("float16", "bfloat16", "float32", "float64")


def matrix(field: str, values: Any) -> Array:
    """``values`` as a matrix of floats that has elements.

    Raises:
        InputError: they are none.
    """
    try:
        operand = jnp.asarray(values)
    except (TypeError, ValueError):
        problem = f"got {type(values).__name__}"
        raise InputError(field, values, "give a matrix of floats", problem=problem) from None
    if operand.dtype.name not in _DTYPES:
        raise InputError(
            field, operand.dtype, "give floats (cast with .astype('float32'))", problem=f"got dtype {operand.dtype}"
        )
    if operand.ndim != 2 or 0 in operand.shape:
        raise InputError(
            field,
            operand.shape,
            "give a matrix with at least one row and one column",
            problem=f"got shape {operand.shape}",
        )
    return operand


def accumulator(*dtypes: DTypeLike) -> np.dtype:
    """The type that products of operands are summed in: of floats the widest of theirs, float32 at least; of integers
    int32, or int64 where one of them has 64 bits; of complex numbers that of their parts.

    Casting to it changes no value, but for unsigned integers as wide as it is, which wrap as their sums do. JAX
    promotes no 8-bit floats by itself.

    >>> [accumulator(*names).name for names in (("bfloat16", "int8"), ("int8", "uint8"), ("complex64", "float16"))]
    ['float32', 'int32', 'float32']
    """
    types = [jnp.dtype(dtype) for dtype in dtypes]
    if not any(jnp.issubdtype(dtype, jnp.inexact) for dtype in types):
        return jnp.dtype("int64" if max(dtype.itemsize for dtype in types) == 8 else "int32")
    parts = (jnp.finfo(dtype).dtype if jnp.issubdtype(dtype, jnp.complexfloating) else dtype for dtype in types)
    return jnp.result_type(jnp.float32, *(dtype for dtype in parts if dtype.itemsize > 1))


def check_product(x: Array, w: Array) -> None:
    """Refuses matrices that ``y = x w`` can't be computed from."""
    _same("w", "rows", w.shape[0], "x", "columns", x.shape[1])
    _same("w", "dtype", w.dtype, "x", "dtype", x.dtype)


def check_columns(x: Array, w: Array) -> None:
    """Refuses an x that is neither an input of ``w`` nor its first columns."""
    if x.shape[1] > w.shape[0]:
        remedy = f"give at least {x.shape[1]}, as x has columns {x.shape[1]}"
        raise InputError("w", w.shape[0], remedy, problem=f"got rows {w.shape[0]}")
    _same("w", "dtype", w.dtype, "x", "dtype", x.dtype)


def check_cotangent(x: Array, w: Array, dy: Array) -> None:
    """Refuses what is no cotangent of ``y = x w``."""
    _same("dy", "rows", dy.shape[0], "x", "rows", x.shape[0])
    _same("dy", "columns", dy.shape[1], "w", "columns", w.shape[1])
    _same("dy", "dtype", dy.dtype, "x", "dtype", x.dtype)


def _same(field: str, what: str, got: Any, other: str, others: str, wanted: Any) -> None:
    if got != wanted:
        raise InputError(field, got, f"give {wanted}, as {other} has {others} {wanted}", problem=f"got {what} {got}")
