"""Arithmetic that costs are written in: one formula for Python ints, arrays of integers, and real numbers.

Python ints cannot overflow, and neither can arrays made by ``exact`` (``base.whole``). Those of JAX are int64, under
``jax.enable_x64``; the same formulas, evaluated on intervals, bound them (``designs.intervals``). On real numbers (a
float, or arrays of them) a quotient is rounded up by a differentiable ceiling: so a formula is its own continuous
relaxation, to be differentiated (``designs.relaxed``).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # at run time not before it is needed: who describes hardware alone does not wait for it
    from jaxgrad.base.whole import Whole

Integer = Any
"""A Python int, or an integer array: a ``Whole``, or one of NumPy or JAX; in a relaxation a real number."""

_SHARPNESS = 8.0
_FAR = 1024.0


def ceil_div(number: Integer, divisor: Integer) -> Integer:
    """The quotient rounded up; of real numbers ``smooth_ceil`` of it."""
    method = getattr(number, "ceil_div", None)
    if method is not None:
        return method(divisor)
    if is_real(number) or is_real(divisor):
        return smooth_ceil(number / divisor)
    return -(-number // divisor)


def smooth_ceil(number: Any) -> Any:
    """A differentiable ceiling of ``number``, at least 0.

    Exact at integers and below 1. Between integers it is concave: it rises steeply after one and flattens towards the
    next, so that its slope is large where a new tile begins, and small where the last one has room left. Beyond 1024 it
    is the number itself.
    """
    numpy = _namespace(number)
    whole = numpy.floor(number)
    part = number - whole
    up = whole + part * _SHARPNESS / (1 + (_SHARPNESS - 1) * part)
    return numpy.where(number < 1, numpy.sign(number), numpy.where(number > _FAR, number, up))


def maximum(*values: Integer) -> Integer:
    if all(isinstance(value, int | float) for value in values):
        return max(values)
    return functools.reduce(_namespace(*values).maximum, values)


def minimum(*values: Integer) -> Integer:
    if all(isinstance(value, int | float) for value in values):
        return min(values)
    return functools.reduce(_namespace(*values).minimum, values)


def where(condition: Any, chosen: Integer, other: Integer) -> Integer:
    """``chosen`` where ``condition`` holds, else ``other``."""
    numbers = all(isinstance(value, int | float) for value in (chosen, other))
    if numbers and isinstance(condition, bool | _numpy().bool_):
        return chosen if condition else other
    return _namespace(condition, chosen, other).where(condition, chosen, other)


def stacked(rows: Sequence[Sequence[Integer]]) -> list[Integer]:
    """The columns of a table of numbers or arrays, each along a new first axis."""
    numpy = _namespace(*itertools.chain.from_iterable(rows))
    arrays = numpy.broadcast_arrays(*(numpy.asarray(value) for row in rows for value in row))
    width = len(rows[0])
    return [numpy.stack(arrays[index::width]) for index in range(width)]


def last_block(length: Integer, block: Integer, count: Integer) -> Integer:
    """The length of the last one of ``count = ceil_div(length, block)`` blocks; known to be 1 to ``block``."""
    last = length - (count - 1) * block
    within = getattr(last, "within", None)
    return last if within is None else within(1, block)


def together(terms: Sequence[Integer]) -> Any:
    """Numbers or arrays along a new first axis, before one axis at least."""
    numpy = _namespace(*terms)
    return numpy.stack(numpy.broadcast_arrays(*map(numpy.atleast_1d, terms)))


def lookup(table: Sequence[int], index: Any) -> Any:
    """Entries of a table of numbers, by an array of indices."""
    numpy = _namespace(index)
    return numpy.take(numpy.asarray(table), index)


def exact(values: Any) -> Whole:
    """An array of integers in which nothing overflows: see ``base.whole``."""
    from jaxgrad.base import whole

    return whole.exact(values)


def is_real(value: Any) -> bool:
    """Whether it is a number, or an array of numbers, of a relaxation."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float) if dtype is None else dtype.kind == "f"


def _namespace(*values: Any) -> ModuleType:
    """The library whose arrays these are: NumPy, unless one of them belongs to another."""
    numpy = _numpy()
    for value in values:
        if hasattr(value, "__array_namespace__") and not isinstance(value, numpy.ndarray):
            return value.__array_namespace__()
    return numpy


def _numpy() -> Any:
    import numpy

    return numpy
