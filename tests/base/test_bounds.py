"""Bounds on a result hold for every pair of elements within the operands' bounds."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import pytest

from jaxgrad.base import bounds


class Interval(NamedTuple):
    low: int
    high: int


INTERVALS = [Interval(*ends) for ends in combinations_with_replacement(range(-4, 5), 2)]


@pytest.mark.parametrize(
    ("operation", "rule", "is_tight"),
    [
        (operator.add, bounds.of_sum, True),
        (operator.sub, bounds.of_difference, True),
        (operator.mul, bounds.of_product, True),
        (operator.floordiv, bounds.of_quotient, False),
        (operator.mod, bounds.of_remainder, False),
    ],
)
def test_every_result_is_within_the_bounds(
    operation: Callable[[int, int], int], rule: bounds.Rule, is_tight: bool
) -> None:
    divides = operation in (operator.floordiv, operator.mod)
    for left, right in product(INTERVALS, INTERVALS):
        low, high = rule(left, right)
        elements = product(range(left.low, left.high + 1), range(right.low, right.high + 1))
        results = [operation(a, b) for a, b in elements if b or not divides]
        assert all(low <= result <= high for result in results)
        if is_tight:
            assert (low, high) == (min(results), max(results))


def test_bounds_on_a_quotient_of_naturals_are_tight() -> None:
    assert bounds.of_quotient(Interval(6, 9), Interval(2, 3)) == (2, 4)
