"""Arrays of integers that cannot overflow: int64 where 64 bits will do, Python ints (arbitrary precision) where not.

A ``Whole`` carries bounds on its elements, and each operation derives those of its result from those of its operands by
interval arithmetic in Python ints (``base.bounds``). Where they are within 64 bits, NumPy computes the result as it
always would. Where they are not, the operands' bounds are first replaced by their elements' minimum and maximum; if
that is not enough, Python ints compute the result, which is int64 again where it fits. So the formula itself decides,
and every operation is exact by construction.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from jaxgrad.base import bounds

_WORD = np.dtype(np.int64)
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_SAFE_PRODUCT = 2.0**62  # a product that is below this in floating point is below 2**63


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
        taken = self.values[index]
        return Whole(taken, self.low, self.high) if isinstance(taken, np.ndarray) else int(taken)

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
        return _computed(operator.sub, bounds.of_difference, 0, self)

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
        return _computed(operator.add, bounds.of_sum, self, other)

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
        return _computed(operator.sub, bounds.of_difference, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _computed(operator.sub, bounds.of_difference, other, self)

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
        return _computed(operator.mul, bounds.of_product, self, other)

    def __floordiv__(self, other: Any) -> Any:
        return _computed(operator.floordiv, bounds.of_quotient, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _computed(operator.floordiv, bounds.of_quotient, other, self)

    def __mod__(self, other: Any) -> Any:
        return _computed(operator.mod, bounds.of_remainder, self, other)

    def __rmod__(self, other: Any) -> Any:
        return _computed(operator.mod, bounds.of_remainder, other, self)

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
        return self.values < _array_of(other)

    def __le__(self, other: Any) -> np.ndarray:
        return self.values <= _array_of(other)

    def __gt__(self, other: Any) -> np.ndarray:
        return self.values > _array_of(other)

    def __ge__(self, other: Any) -> np.ndarray:
        return self.values >= _array_of(other)

    def __eq__(self, other: Any) -> Any:
        return self.values == _array_of(other)

    def __ne__(self, other: Any) -> Any:
        return self.values != _array_of(other)


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


def maximum(left: Any, right: Any) -> Whole:
    """The larger of two, element by element."""
    left, right = _operand(left), _operand(right)
    return _selected(np.maximum, (left, right), max(left.low, right.low), max(left.high, right.high))


def minimum(left: Any, right: Any) -> Whole:
    """The smaller of two, element by element."""
    left, right = _operand(left), _operand(right)
    return _selected(np.minimum, (left, right), min(left.low, right.low), min(left.high, right.high))


def where(condition: Any, chosen: Any, other: Any) -> Whole:
    """``chosen`` where the condition holds, ``other`` elsewhere."""
    chosen, other = _operand(chosen), _operand(other)

    def select(*arrays: Any) -> np.ndarray:
        return np.where(condition, *arrays)

    return _selected(select, (chosen, other), min(chosen.low, other.low), max(chosen.high, other.high))


def concatenate(parts: Iterable[Any]) -> Whole:
    """Arrays one after the other."""
    return exact(np.concatenate([exact(part).values for part in parts]))


def gcd(left: Whole, right: Whole) -> Whole:
    """The greatest common divisor of positive numbers, element by element."""
    return _selected(np.gcd, (left, right), 1, min(left.high, right.high))


def _operand(value: Any) -> Whole:
    """An operand of an operation; a number as an array without axes."""
    if isinstance(value, Whole):
        return value
    if isinstance(value, int):
        return Whole(np.asarray(value, np.int64 if _LEAST <= value <= _MOST else object), value, value)
    return exact(np.asarray(value))


def _is_real(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def _array_of(value: Any) -> Any:
    return value.values if isinstance(value, Whole) else value


def _computed(operation: Callable[[Any, Any], Any], derive: bounds.Rule, left: Any, right: Any) -> Any:
    """The result of an elementwise operation, in 64 bits where the bounds that ``derive`` gives fit them."""
    if _is_real(left) or _is_real(right):
        return operation(np.asarray(left, float), np.asarray(right, float))
    left, right = _operand(left), _operand(right)
    if left._is_word and right._is_word:
        if operation in (operator.floordiv, operator.mod):
            _refuse_zero(right)
        low, high = derive(left, right)
        if low >= _LEAST and high <= _MOST:
            return Whole(operation(left.values, right.values), low, high)
        left.tighten()
        right.tighten()
        low, high = derive(left, right)
        if low >= _LEAST and high <= _MOST:
            return Whole(operation(left.values, right.values), low, high)
        if operation is operator.mul and _small_product(left.values, right.values):
            return exact(np.asarray(left.values * right.values))
    return exact(np.asarray(operation(left.values.astype(object), right.values.astype(object)), object))


def _selected(select: Callable[..., Any], operands: Sequence[Whole], low: int, high: int) -> Whole:
    """Elements out of the operands, or numbers no larger; int64 again where all of them fit."""
    arrays = [operand.values for operand in operands]
    if all(array.dtype != object for array in arrays):
        return Whole(np.asarray(select(*arrays)), low, high)
    return exact(np.asarray(select(*(array.astype(object) for array in arrays)), object))


def _refuse_zero(divisor: Whole) -> None:
    if divisor.low <= 0 <= divisor.high:
        divisor.tighten()
        if not np.all(divisor.values):
            raise ZeroDivisionError("integer division or modulo by zero")


def _small_product(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether each product fits 64 bits, although that of the largest elements does not."""
    return bool(np.max(np.abs(left.astype(float) * right), initial=0) < _SAFE_PRODUCT)
