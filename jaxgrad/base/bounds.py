"""Interval arithmetic on integers: bounds on the result of an elementwise operation, from bounds on its operands.

Bounds are Python ints and inclusive at both ends. They hold for every pair of elements; they need not be tight.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol

Bounds = tuple[int, int]


class Bounded(Protocol):
    """An array of which no element is below ``low`` or above ``high``."""

    @property
    def low(self) -> int: ...

    @property
    def high(self) -> int: ...


Rule = Callable[[Bounded, Bounded], Bounds]


def of_sum(left: Bounded, right: Bounded) -> Bounds:
    return left.low + right.low, left.high + right.high


def of_difference(left: Bounded, right: Bounded) -> Bounds:
    return left.low - right.high, left.high - right.low


def of_product(left: Bounded, right: Bounded) -> Bounds:
    if left.low >= 0 and right.low >= 0:
        return left.low * right.low, left.high * right.high
    ends = [a * b for a, b in itertools.product((left.low, left.high), (right.low, right.high))]
    return min(ends), max(ends)


def of_quotient(dividend: Bounded, divisor: Bounded) -> Bounds:
    """Of a quotient rounded down; no element of the divisor is 0."""
    if divisor.low > 0:
        return (
            dividend.low // (divisor.high if dividend.low >= 0 else divisor.low),
            dividend.high // (divisor.low if dividend.high >= 0 else divisor.high),
        )
    # A divisor whose interval reaches 0 or lies below it is at least 1 in magnitude.
    largest = max(abs(dividend.low), abs(dividend.high))
    return -largest, largest


def of_remainder(_: Bounded, divisor: Bounded) -> Bounds:
    return min(divisor.low + 1, 0), max(divisor.high - 1, 0)
