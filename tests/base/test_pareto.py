"""The Pareto front against its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.base.pareto import front

ROWS = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 4), min_size=width, max_size=width), min_size=1, max_size=25)
)


@given(ROWS)
def test_no_other_point_is_as_good_and_better_in_something(rows: list[list[int]]) -> None:
    costs = np.array(rows, float)
    expected = {
        index
        for index, own in enumerate(costs)
        if not any((other <= own).all() and (other < own).any() for other in costs)
    }
    found = front(costs)
    assert set(found.tolist()) == expected
    assert len(found) == len(expected)
    assert (np.diff(costs[found][:, 0]) >= 0).all()


def test_a_point_without_a_value_is_on_no_front() -> None:
    assert front(np.array([[np.nan, 0.0], [3.0, 3.0]])).tolist() == [1]
