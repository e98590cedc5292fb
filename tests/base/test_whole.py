"""jaxgrad.base.whole against Python ints, on numbers of every size."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import gcd as python_gcd
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jaxgrad.base import whole
from jaxgrad.base.arithmetic import ceil_div, maximum, minimum, where
from jaxgrad.base.whole import Whole, exact

EDGES = [0, 1, -1, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64, 3037000500, 10**30]
NUMBERS = st.sampled_from(EDGES) | st.integers(-9, 9) | st.integers(-(2**40), 2**40) | st.integers(-(2**70), 2**70)
OPERATIONS: list[Callable[[Any, Any], Any]] = [
    operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, ceil_div, maximum, minimum,
]  # fmt: skip
PAIRS = st.integers(1, 5).flatmap(lambda n: st.tuples(*[st.lists(NUMBERS, min_size=n, max_size=n)] * 2))


def assert_is(found: Whole, expected: list[int]) -> None:
    """The numbers, in 64 bits wherever they fit, within bounds that hold."""
    assert found.tolist() == expected
    assert all(found.low <= number <= found.high for number in expected)
    if found.values.dtype != object:
        assert found.values.dtype == np.int64
        assert found.low >= -(2**63)
        assert found.high < 2**63
    else:
        assert any(not -(2**63) <= number < 2**63 for number in expected)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@given(pair=PAIRS)
@example(pair=([2**62, 3], [4, 2**62]))
@example(pair=([2**63 - 1, 2**63 - 1], [1, 2**63 - 1]))
@example(pair=([-(2**63), -(2**63)], [-1, 1]))
def test_operations_are_those_of_the_integers(operation: Callable[[Any, Any], Any], pair: Any) -> None:
    one, other = pair
    if operation in (operator.floordiv, operator.mod, ceil_div):
        other = [number or 7 for number in other]
    expected = [operation(a, b) for a, b in zip(one, other, strict=True)]
    assert_is(operation(exact(one), exact(other)), expected)
    assert_is(operation(exact(one), other[0]), [operation(a, other[0]) for a in one])
    assert_is(operation(one[0], exact(other)), [operation(one[0], b) for b in other])


@given(PAIRS, st.data())
def test_chains_keep_bounds_that_hold(pair: tuple[list[int], list[int]], data: st.DataObject) -> None:
    """Whatever came before: bounds are of the operands' bounds, and no more than those are known."""
    found, expected = exact(pair[0]), pair[0]
    for operation in data.draw(st.lists(st.sampled_from([*OPERATIONS[:3], maximum, minimum]), max_size=5)):
        found, expected = (
            operation(found, exact(pair[1])),
            [operation(*each) for each in zip(expected, pair[1], strict=True)],
        )
        assert found.tolist() == expected
        assert all(found.low <= number <= found.high for number in expected)


@given(PAIRS)
def test_comparisons_choice_and_sums(pair: tuple[list[int], list[int]]) -> None:
    one, other = map(exact, pair)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        assert compare(one, other).tolist() == [compare(a, b) for a, b in zip(*pair, strict=True)]
    assert_is(where(one < other, one, other), [a if a < b else b for a, b in zip(*pair, strict=True)])
    assert one.sum() == sum(pair[0])
    assert one.tolist() == exact(one).tolist() == np.asarray(one).tolist() == [one[i] for i in range(len(one))]
    assert_is(whole.concatenate([one, other]), pair[0] + pair[1])
    positive = [[abs(number) + 1 for number in numbers] for numbers in pair]
    assert_is(whole.gcd(*map(exact, positive)), [python_gcd(*each) for each in zip(*positive, strict=True)])


def test_bounds_too_wide_are_made_tight_before_python_ints_compute() -> None:
    """No product of two of them passes 64 bits, though that of the largest would."""
    found = exact([2**40, 3]) * exact([5, 2**40])
    assert found.values.dtype == np.int64
    chain = (exact([2**40, 3]) - exact([2**40 - 1, 2])) * 2**62
    assert chain.values.dtype == np.int64


def test_what_is_no_whole_number_is_not_taken_for_one() -> None:
    with pytest.raises(TypeError, match="whole numbers only"):
        exact(np.array([1.5]))
    with pytest.raises(ZeroDivisionError):
        operator.floordiv(exact([1, 2]), exact([1, 0]))
    assert (exact([1, 2]) * 0.5).tolist() == [0.5, 1.0]
    assert (exact([2**70]) / 2.0).tolist() == [2.0**69]
