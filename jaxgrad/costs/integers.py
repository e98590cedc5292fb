"""Arithmetic that costs are written in: one formula for Python ints, NumPy arrays and JAX arrays (traced ones too).

Python ints know no overflow. Arrays are int64 (under ``jax.enable_x64`` in JAX); ``exact`` chooses Python ints inside
arrays where 64 bits would not do.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

Integer = Any
"""A Python int, or an integer array of NumPy or JAX."""

_SAFE = 2.0**62


def ceil_div(number: Integer, divisor: Integer) -> Integer:
    return -(-number // divisor)


def maximum(*values: Integer) -> Integer:
    if all(isinstance(value, int) for value in values):
        return max(values)
    return functools.reduce(_namespace(*values).maximum, values)


def minimum(*values: Integer) -> Integer:
    if all(isinstance(value, int) for value in values):
        return min(values)
    return functools.reduce(_namespace(*values).minimum, values)


def where(condition: Any, chosen: Integer, other: Integer) -> Integer:
    """``chosen`` where ``condition`` holds, else ``other``."""
    if isinstance(condition, bool | np.bool_) and isinstance(chosen, int) and isinstance(other, int):
        return chosen if condition else other
    return _namespace(condition, chosen, other).where(condition, chosen, other)


def exact(values: Any, *, largest: float) -> np.ndarray:
    """An integer array in which nothing overflows: int64, or Python ints where results reach ``largest`` beyond it."""
    return np.asarray(values, np.int64 if largest < _SAFE else object)


def _namespace(*values: Any) -> ModuleType:
    """The library whose arrays these are: NumPy, unless one of them belongs to another."""
    for value in values:
        if hasattr(value, "__array_namespace__") and not isinstance(value, np.ndarray):
            return value.__array_namespace__()
    return np
