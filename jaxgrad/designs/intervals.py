"""Intervals: bounds on all numbers of a formula, derived by evaluating that formula itself.

Under jit nothing can raise, so what 64 bits hold must be known before. A formula that is written for Python ints and
arrays (``base.arithmetic``) is given arrays of intervals instead, and a ``Watch`` is told of every number on the way.
Ends are floating-point numbers, exact below 2^53 and rounded outwards beyond.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

_EXACT = 2.0**53


class Watch:
    """Which cases of a formula could pass a limit on the way.

    Args:
        cases: how many there are; they lie along the last but one axis of all intervals.
        limit: what no number may reach.
    """

    def __init__(self, cases: int, limit: float) -> None:
        self.over = np.zeros(cases, bool)
        self._limit = limit

    def see(self, low: np.ndarray, high: np.ndarray) -> None:
        if not (low.size and (high.max() >= self._limit or low.min() <= -self._limit)):
            return
        over = np.atleast_2d((high >= self._limit) | (low <= -self._limit))
        self.over |= over.any(axis=tuple(axis for axis in range(over.ndim) if axis != over.ndim - 2))

    def interval(self, low: Any, high: Any) -> Interval:
        """An operand of the formula."""
        return Interval(np.asarray(low, float), np.asarray(high, float), self)


class Undecided:
    """A comparison of intervals: either way."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def __array_namespace__(self) -> ModuleType:
        return sys.modules[__name__]

    def __and__(self, other: Any) -> Undecided:
        return self

    __or__ = __rand__ = __ror__ = __and__


class Interval:
    """An array of intervals; operators are elementwise. No integer of the formula is outside of them."""

    __slots__ = ("high", "low", "watch")
    __array_ufunc__ = None
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, low: np.ndarray, high: np.ndarray, watch: Watch) -> None:
        large = max(float(np.max(high, initial=0)), -float(np.min(low, initial=0))) >= _EXACT
        self.low = np.where(np.abs(low) < _EXACT, low, np.nextafter(low, -np.inf)) if large else low
        self.high = np.where(np.abs(high) < _EXACT, high, np.nextafter(high, np.inf)) if large else high
        self.watch = watch
        watch.see(self.low, self.high)

    def __array_namespace__(self) -> ModuleType:
        return sys.modules[__name__]

    @property
    def ndim(self) -> int:
        return self.low.ndim

    def __getitem__(self, index: Any) -> Interval:
        return Interval(self.low[index], self.high[index], self.watch)

    def within(self, low: Any, high: Any) -> Interval:
        """The same, known from elsewhere to be no less than ``low`` and no more than ``high``."""
        least, most = _ends(low)[0], _ends(high)[1]
        return Interval(np.maximum(self.low, least), np.minimum(self.high, most), self.watch)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low, self.watch)

    def __add__(self, other: Any) -> Interval:
        low, high = _ends(other)
        return Interval(self.low + low, self.high + high, self.watch)

    def __sub__(self, other: Any) -> Interval:
        low, high = _ends(other)
        return Interval(self.low - high, self.high - low, self.watch)

    def __rsub__(self, other: Any) -> Interval:
        return -self + other

    def __mul__(self, other: Any) -> Interval:
        low, high = _ends(other)
        if np.min(self.low, initial=0) >= 0 and np.min(low, initial=0) >= 0:
            return Interval(self.low * low, self.high * high, self.watch)
        return _hull([self.low * low, self.low * high, self.high * low, self.high * high], self.watch)

    __radd__, __rmul__ = __add__, __mul__

    def __floordiv__(self, other: Any) -> Interval:
        return _quotient(np.floor_divide, self, other, self.watch)

    def __rfloordiv__(self, other: Any) -> Interval:
        return _quotient(np.floor_divide, other, self, self.watch)

    def ceil_div(self, divisor: Any) -> Interval:
        """The quotient rounded up."""
        return _quotient(lambda one, other: -np.floor_divide(-one, other), self, divisor, self.watch)

    def floor_sum(self, divisor: Any, slope: Any, offset: Any) -> Interval:
        """Of ``costs.alternating``, whose steps compute nothing larger than what is looked at here."""
        most = maximum((slope * self + offset) // divisor, self)
        total = most * most + (self + 1) * (most + 1)
        return self.watch.interval(np.zeros_like(total.high), total.high)

    def sum(self, axis: int) -> Interval:
        """The sum along an axis."""
        return Interval(self.low.sum(axis), self.high.sum(axis), self.watch)

    def __lt__(self, other: Any) -> Undecided:
        return Undecided(self.watch)

    __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __lt__  # pyright: ignore[reportAssignmentType]


def maximum(one: Any, other: Any) -> Interval:
    return _by_end(np.maximum, one, other)


def minimum(one: Any, other: Any) -> Interval:
    return _by_end(np.minimum, one, other)


def where(condition: Any, chosen: Any, other: Any) -> Any:
    """What either of the two can be, unless the condition is known."""
    if isinstance(condition, bool):
        return chosen if condition else other
    (low, high), (other_low, other_high) = _ends(chosen), _ends(other)
    return Interval(np.minimum(low, other_low), np.maximum(high, other_high), _watch(condition, chosen, other))


def atleast_1d(value: Any) -> Any:
    return value[None] if isinstance(value, Interval) and not value.low.ndim else value


def broadcast_arrays(*values: Any) -> list[Interval]:
    watch = _watch(*values)
    ends = [np.broadcast_arrays(*(_ends(value)[end] for value in values)) for end in range(2)]
    return [Interval(low, high, watch) for low, high in zip(*ends, strict=True)]


def stack(values: Sequence[Interval]) -> Interval:
    return Interval(
        np.stack([value.low for value in values]), np.stack([value.high for value in values]), values[0].watch
    )


def asarray(table: Sequence[int]) -> Sequence[int]:
    return table


def take(table: Sequence[int], index: Interval) -> Interval:
    """An entry of a table, whichever it is."""
    return index.watch.interval(min(table), max(table))


def _ends(value: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(value, Interval):
        return value.low, value.high
    number = np.asarray(value, float)
    return number, number


def _watch(*values: Any) -> Watch:
    return next(value.watch for value in values if isinstance(value, Interval | Undecided))


def _hull(ends: Sequence[np.ndarray], watch: Watch) -> Interval:
    low = high = ends[0]
    for end in ends[1:]:
        low, high = np.minimum(low, end), np.maximum(high, end)
    return Interval(low, high, watch)


def _by_end(function: Callable[[Any, Any], Any], one: Any, other: Any) -> Interval:
    (low, high), (other_low, other_high) = _ends(one), _ends(other)
    return Interval(function(low, other_low), function(high, other_high), _watch(one, other))


def _quotient(divide: Callable[[Any, Any], Any], one: Any, other: Any, watch: Watch) -> Interval:
    """A quotient, rounded as ``divide`` does; divisors are positive."""
    (low, high), (least, most) = _ends(one), _ends(other)
    assert np.min(least, initial=1) > 0, "a divisor of a formula is not known to be positive"
    return _hull([divide(low, least), divide(low, most), divide(high, least), divide(high, most)], watch)
