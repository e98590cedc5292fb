"""Arithmetic that costs are written in: one formula, and the number system is that of its operands.

Python ints cannot overflow, and neither can arrays made by ``exact`` (``base.whole``). JAX's arrays hold whole numbers
too, under ``jax.enable_x64``: int64, or float64 where none passes 2^50, which vector units divide and compare faster.
Bounds on them come of the same formulas, evaluated on intervals (``designs.intervals``). A formula of ``Real``s
(``designs.reals``) is its own relaxation: continuous, and to be differentiated. Such a number system brings its own
``ceil_div``; numbers and arrays of numbers are rounded up, whatever their type.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # at run time not before it is needed: who describes hardware alone does not wait for it
    from jaxgrad.base.whole import Whole

Integer = Any
"""A Python int, or an array of whole numbers: a ``Whole``, or one of NumPy or JAX; or an ``Interval`` or a ``Real``."""


def ceil_div(number: Integer, divisor: Integer) -> Integer:
    """The quotient rounded up; of whole numbers in JAX's float64, exact where they are below 2^50."""
    if isinstance(number, int) and isinstance(divisor, int):
        return -(-number // divisor)
    method = getattr(number, "ceil_div", None)
    if method is not None:
        return method(divisor)
    method = getattr(divisor, "ceil_of", None)
    if method is not None:
        return method(number)
    for operand in (number, divisor):
        if is_traced(operand) and is_float(operand):
            # XLA multiplies by the reciprocal, which is not exact: half a unit from any integer that does not matter.
            return _namespace(operand).ceil((number - 0.5) / divisor)
    return -(-number // divisor)


def maximum(*values: Integer) -> Integer:
    if all(isinstance(value, int | float) for value in values):
        return max(values)
    return functools.reduce(_chosen("maximum", operator.gt, values), values)


def minimum(*values: Integer) -> Integer:
    if all(isinstance(value, int | float) for value in values):
        return min(values)
    return functools.reduce(_chosen("minimum", operator.lt, values), values)


def _chosen(name: str, precedes: Callable[[Any, Any], Any], values: Sequence[Integer]) -> Callable[[Any, Any], Any]:
    """The number system's function of that name; for JAX's arrays a selection: its own minds NaN and minus 0."""
    numpy = _namespace(*values)
    if numpy.__name__.startswith("jax."):
        return lambda one, other: numpy.where(precedes(other, one), other, one)
    return getattr(numpy, name)


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


def rounded(value: Integer) -> Integer:
    """The whole number next to a ``Real``, which has no slope; whole numbers as they are."""
    method = getattr(value, "rounded", None)
    return value if method is None else method()


def together(terms: Sequence[Integer]) -> Any:
    """Numbers or arrays along a new first axis, before one axis at least."""
    numpy = _namespace(*terms)
    return numpy.stack(numpy.broadcast_arrays(*map(numpy.atleast_1d, terms)))


def lookup(table: Sequence[int], index: Any) -> Any:
    """Entries of a table of numbers, by an array of indices."""
    numpy = _namespace(index)
    return numpy.take(numpy.asarray(table), index)


def repeat(step: Callable[[tuple[Any, ...]], tuple[Any, ...]], state: tuple[Any, ...]) -> tuple[Any, ...]:
    """``step``, again and again, while any of the first of the state holds."""
    if _namespace(*state).__name__.startswith("jax."):
        from jax import lax, numpy

        return lax.while_loop(lambda now: now[0].any(), step, tuple(numpy.broadcast_arrays(*state)))
    while _numpy().any(state[0]):
        state = step(state)
    return state


def exact(values: Any) -> Whole:
    """An array of integers in which nothing overflows: see ``base.whole``."""
    from jaxgrad.base import whole

    return whole.exact(values)


def is_float(value: Any) -> bool:
    """Whether it is a floating-point number, or an array of them."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float) if dtype is None else dtype.kind == "f"


def is_traced(value: Any) -> bool:
    """Whether a formula of it is compiled, or bounds one that is: JAX's arrays, ``Real`` and ``Interval``."""
    return _namespace(value).__name__ not in ("numpy", "jaxgrad.base.whole")


def _namespace(*values: Any) -> ModuleType:
    """The number system of a formula with these operands: one of ours, else JAX's arrays, else NumPy's."""
    namespace = numpy = _numpy()
    for value in values:
        if hasattr(value, "__array_namespace__") and not isinstance(value, numpy.ndarray):
            namespace = value.__array_namespace__()
            if not namespace.__name__.startswith("jax."):
                return namespace
    return namespace


def _numpy() -> Any:
    import numpy

    return numpy
