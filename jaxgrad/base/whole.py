"""Arrays of whole numbers in which nothing overflows: int64 where that will do, Python ints where it will not.

A ``Whole`` knows bounds on its elements, and each operation derives those of its result from those of its operands, in
Python ints. Where they are within 64 bits, NumPy computes the result as it always would. Where they are not, they are
made tight first, and if that is not enough Python ints compute it; a result that fits 64 bits is int64 again. So the
bound that decides is the formula itself, and every operation is exact by construction.
"""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

_WORD = np.dtype(np.int64)
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_SURE = 2.0**62  # a product that is below this in floating point is below 2**63


class Whole:
    """An array of integers with bounds on them; operators are elementwise, as NumPy's.

    Comparisons give NumPy's arrays of bools, and operations with real numbers real ones; division by zero raises, as
    that of Python ints does.

    Args:
        values: int64, or Python ints in an array of objects.
        low, high: no element is outside of them.
    """

    __slots__ = ("_is_tight", "_is_word", "high", "low", "values")
    __array_ufunc__ = None  # NumPy's arrays leave operators to this class
    __hash__ = None  # pyright: ignore[reportAssignmentType]  # as arrays: equality is elementwise

    def __init__(self, values: np.ndarray, low: int, high: int) -> None:
        self.values, self.low, self.high = values, low, high
        self._is_tight, self._is_word = False, values.dtype == _WORD

    def __array_namespace__(self) -> ModuleType:
        return sys.modules[__name__]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        """Some elements; of a single one its Python int."""
        found = self.values[index]
        return Whole(found, self.low, self.high) if isinstance(found, np.ndarray) else int(found)

    def tolist(self) -> Any:
        """Python ints, in lists within lists."""
        return self.values.tolist()

    def sum(self, axis: int | None = None) -> Any:
        """The sum along an axis, or of all elements as a Python int."""
        terms = self.values.size if axis is None else self.values.shape[axis]
        low, high = terms * min(self.low, 0), terms * max(self.high, 0)
        within = low >= _LEAST and high <= _MOST
        total = (self.values if within else self.values.astype(object)).sum(axis)
        return int(total) if axis is None else Whole(total, low, high) if within else exact(total)

    def __repr__(self) -> str:
        return f"Whole({self.values!r})"

    def tighten(self) -> None:
        """Makes the bounds those of the elements."""
        if not self._is_tight and self.values.size:
            self.low, self.high = int(self.values.min()), int(self.values.max())
        self._is_tight = True

    def within(self, low: int, high: Any) -> Whole:
        """The same, known from elsewhere to be no less than ``low`` and no more than ``high``."""
        most = high.high if isinstance(high, Whole) else int(np.max(high))
        self.low, self.high = max(self.low, low), min(self.high, most)
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype, copy=copy)

    def __neg__(self) -> Any:
        return _done(operator.sub, _subtracted, 0, self)

    def __truediv__(self, other: Any) -> Any:
        return self.values.astype(float) / other

    # These are on the way of every cost: where the bounds tell at once that 64 bits will do, nothing else is asked.

    def __add__(self, other: Any) -> Any:
        if self._is_word:
            if type(other) is Whole:
                low, high = self.low + other.low, self.high + other.high
                if other._is_word and low >= _LEAST and high <= _MOST:
                    return Whole(self.values + other.values, low, high)
            elif type(other) is int:
                if other == 0:  # as sums begin
                    return self
                low, high = self.low + other, self.high + other
                if min(low, other) >= _LEAST and max(high, other) <= _MOST:
                    return Whole(self.values + other, low, high)
        return _done(operator.add, _added, self, other)

    def __sub__(self, other: Any) -> Any:
        if self._is_word:
            if type(other) is Whole:
                low, high = self.low - other.high, self.high - other.low
                if other._is_word and low >= _LEAST and high <= _MOST:
                    return Whole(self.values - other.values, low, high)
            elif type(other) is int:
                low, high = self.low - other, self.high - other
                if min(low, other) >= _LEAST and max(high, other) <= _MOST:
                    return Whole(self.values - other, low, high)
        return _done(operator.sub, _subtracted, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _done(operator.sub, _subtracted, other, self)

    def __mul__(self, other: Any) -> Any:
        if self._is_word and self.low >= 0:
            if type(other) is Whole:
                if other._is_word and other.low >= 0:
                    high = self.high * other.high
                    if high <= _MOST:
                        return Whole(self.values * other.values, self.low * other.low, high)
            elif type(other) is int and 0 <= other <= _MOST:
                high = self.high * other
                if high <= _MOST:
                    return Whole(self.values * other, self.low * other, high)
        return _done(operator.mul, _multiplied, self, other)

    def __floordiv__(self, other: Any) -> Any:
        return _done(operator.floordiv, _divided, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _done(operator.floordiv, _divided, other, self)

    def __mod__(self, other: Any) -> Any:
        return _done(operator.mod, _rest, self, other)

    def __rmod__(self, other: Any) -> Any:
        return _done(operator.mod, _rest, other, self)

    __radd__, __rmul__ = __add__, __mul__

    def ceil_div(self, divisor: Any) -> Any:
        """The quotient rounded up."""
        if self._is_word and self.low >= 0:
            if type(divisor) is Whole:
                if divisor._is_word and divisor.low > 0:
                    return Whole(
                        -(-self.values // divisor.values), -(-self.low // divisor.high), -(-self.high // divisor.low)
                    )
            elif type(divisor) is int and 0 < divisor <= _MOST:
                return Whole(-(-self.values // divisor), -(-self.low // divisor), -(-self.high // divisor))
        return -(-self // divisor)

    def __lt__(self, other: Any) -> np.ndarray:
        return self.values < _raw(other)

    def __le__(self, other: Any) -> np.ndarray:
        return self.values <= _raw(other)

    def __gt__(self, other: Any) -> np.ndarray:
        return self.values > _raw(other)

    def __ge__(self, other: Any) -> np.ndarray:
        return self.values >= _raw(other)

    def __eq__(self, other: Any) -> Any:
        return self.values == _raw(other)

    def __ne__(self, other: Any) -> Any:
        return self.values != _raw(other)


Bounds = tuple[int, int]


def exact(values: Any) -> Whole:
    """Integers (a ``Whole``, an array, or a list of Python ints of any size) as an array that cannot overflow."""
    if isinstance(values, Whole):
        return values
    if not isinstance(values, np.ndarray):
        values = np.array(values, object)
    if values.dtype.kind not in "iubO":
        raise TypeError(f"values: got {values.dtype}; whole numbers only")
    if values.size == 0:
        return Whole(values.astype(np.int64), 0, 0)
    low, high = int(values.min()), int(values.max())
    if low >= _LEAST and high <= _MOST:
        return Whole(values.astype(np.int64, copy=False), low, high)
    return Whole(values.astype(object), low, high)


def maximum(one: Any, other: Any) -> Whole:
    one, other = _operand(one), _operand(other)
    return _chosen(np.maximum, (one, other), max(one.low, other.low), max(one.high, other.high))


def minimum(one: Any, other: Any) -> Whole:
    one, other = _operand(one), _operand(other)
    return _chosen(np.minimum, (one, other), min(one.low, other.low), min(one.high, other.high))


def where(condition: Any, chosen: Any, other: Any) -> Whole:
    one, two = _operand(chosen), _operand(other)

    def choose(*values: Any) -> np.ndarray:
        return np.where(condition, *values)

    return _chosen(choose, (one, two), min(one.low, two.low), max(one.high, two.high))


def concatenate(parts: Iterable[Any]) -> Whole:
    """Arrays one after the other."""
    return exact(np.concatenate([exact(part).values for part in parts]))


def gcd(one: Whole, other: Whole) -> Whole:
    """The greatest common divisor of positive numbers."""
    return _chosen(np.gcd, (one, other), 1, min(one.high, other.high))


def _operand(value: Any) -> Whole:
    """An operand of an operation; a number as an array without axes."""
    if isinstance(value, Whole):
        return value
    if isinstance(value, int):
        return Whole(np.asarray(value, np.int64 if _LEAST <= value <= _MOST else object), value, value)
    return exact(np.asarray(value))


def _is_real(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def _raw(value: Any) -> Any:
    return value.values if isinstance(value, Whole) else value


def _done(operation: Callable[[Any, Any], Any], bounds: Callable[[Whole, Whole], Bounds], one: Any, other: Any) -> Any:
    """The result of an operation: at once where the bounds of the operands tell that 64 bits will do."""
    if _is_real(one) or _is_real(other):
        return operation(*(np.asarray(each, float) for each in (one, other)))
    one, other = _operand(one), _operand(other)
    if one._is_word and other._is_word:
        if bounds is _divided or bounds is _rest:
            _refuse_zero(other)
        low, high = bounds(one, other)
        if low >= _LEAST and high <= _MOST:
            return Whole(operation(one.values, other.values), low, high)
        one.tighten()
        other.tighten()
        low, high = bounds(one, other)
        if low >= _LEAST and high <= _MOST:
            return Whole(operation(one.values, other.values), low, high)
        if operation is operator.mul and _small_product(one.values, other.values):
            return exact(np.asarray(one.values * other.values))
    return exact(np.asarray(operation(one.values.astype(object), other.values.astype(object)), object))


def _chosen(choose: Callable[..., Any], operands: Sequence[Whole], low: int, high: int) -> Whole:
    """Elements out of the operands, or numbers no larger; int64 again where all of them fit."""
    values = [each.values for each in operands]
    if all(each.dtype != object for each in values):
        return Whole(np.asarray(choose(*values)), low, high)
    return exact(np.asarray(choose(*(each.astype(object) for each in values)), object))


def _refuse_zero(divisor: Whole) -> None:
    if divisor.low <= 0 <= divisor.high:
        divisor.tighten()
        if not np.all(divisor.values):
            raise ZeroDivisionError("integer division or modulo by zero")


def _small_product(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each product fits 64 bits, although that of the largest elements does not."""
    return bool(np.max(np.abs(one.astype(float) * other), initial=0) < _SURE)


def _added(one: Whole, other: Whole) -> Bounds:
    return one.low + other.low, one.high + other.high


def _subtracted(one: Whole, other: Whole) -> Bounds:
    return one.low - other.high, one.high - other.low


def _multiplied(one: Whole, other: Whole) -> Bounds:
    if one.low >= 0 and other.low >= 0:
        return one.low * other.low, one.high * other.high
    ends = [a * b for a, b in itertools.product((one.low, one.high), (other.low, other.high))]
    return min(ends), max(ends)


def _divided(one: Whole, other: Whole) -> Bounds:
    if other.low > 0:
        return (
            one.low // (other.high if one.low >= 0 else other.low),
            one.high // (other.low if one.high >= 0 else other.high),
        )
    # A divisor on both sides of 0 is 1 or -1 at the least.
    largest = max(abs(one.low), abs(one.high))
    return -largest, largest


def _rest(_: Whole, other: Whole) -> Bounds:
    return min(other.low + 1, 0), max(other.high - 1, 0)
