"""Least squares on a roofline, whose times are known in closed form, and what it says of what it can't tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jaxgrad.studies.calibration.least_squares import RANGE, Predict, left_out, reach, solve, spread

BYTES, CYCLES = np.array([1.0, 1.0, 1.0, 8.0, 16.0, 12.0]), np.array([9.0, 20.0, 14.0, 1.0, 1.0, 2.0])
SCALES = st.floats(0.5, 2.0)


def roofline(moved: np.ndarray = BYTES, busy: np.ndarray = CYCLES) -> Predict:
    """Time: the longer of moving bytes and of being busy."""
    return lambda values, coarse: np.maximum(np.log(moved) - values[0], np.log(busy) - values[1])


@given(SCALES, SCALES, st.integers(0, 2**32 - 1))
def test_scales_are_found_from_noisy_times_and_the_truth_is_within_a_few_intervals(
    bandwidth: float, clock: float, seed: int
) -> None:
    truth = np.log([bandwidth, clock])
    measured = roofline()(truth, 1) + np.random.default_rng(seed).normal(0.0, 0.02, len(BYTES))
    found = solve(roofline(), measured, [0, 1], 2)
    assert found.free == (0, 1)
    assert found.parameters == pytest.approx(truth, abs=0.08)
    known = spread(found, roofline()(found.parameters, 1) - measured)
    assert known is not None
    assert known.factors is not None
    assert known.condition == pytest.approx(1.0, abs=1e-6)  # each layer tells of one of the two
    assert known.correlation == pytest.approx(0.0, abs=1e-6)


@given(st.floats(0.02, 50.0), st.floats(0.02, 50.0))
def test_scales_far_from_the_start_are_found(bandwidth: float, clock: float) -> None:
    assume(0.2 < bandwidth / clock < 5)
    truth = np.log([bandwidth, clock])
    assert solve(roofline(), roofline()(truth, 1), [0, 1], 2).parameters == pytest.approx(truth, abs=1e-3)


@pytest.mark.parametrize(("idle", "moved", "busy"), [(0, BYTES / 1e4, CYCLES), (1, BYTES, CYCLES / 1e4)])
def test_what_nothing_depends_on_keeps_its_own_value(idle: int, moved: np.ndarray, busy: np.ndarray) -> None:
    predict = roofline(moved, busy)
    found = solve(predict, predict(np.log([1.5, 1.5]), 1), [0, 1], 2)
    assert found.reasons == {idle: "no effect"}
    assert found.free == (1 - idle,)
    assert found.parameters[idle] == 0.0
    assert found.parameters[1 - idle] == pytest.approx(math.log(1.5), abs=1e-3)
    # From where on it makes no difference of 1 %: the first layer that it would touch.
    least = reach(roofline(moved * 1e3, busy) if idle == 0 else roofline(moved, busy * 1e3), found.parameters, idle)
    assert least is not None


def test_the_least_value_that_makes_no_difference_is_where_the_first_layer_begins_to_wait() -> None:
    predict = roofline(np.array([1.0, 2.0]), np.array([8.0, 8.0]))
    least = reach(predict, np.zeros(2), 0)
    assert least == pytest.approx(math.log(0.25), abs=0.03)
    assert reach(roofline(np.array([1.0]), np.array([1e4])), np.zeros(2), 0) is None


def test_scales_that_only_act_together_are_both_left_alone() -> None:
    """Times that are sums of the two in one proportion."""

    def predict(values: np.ndarray, coarse: int) -> np.ndarray:
        return np.log(np.exp(-values[0]) + np.exp(-values[1])) + np.zeros(5)

    found = solve(predict, predict(np.log([1.5, 2.0]), 1), [0, 1], 2)
    assert found.reasons == {0: "together", 1: "together"}
    assert not found.free
    assert spread(found, np.zeros(5)) is None


def test_what_is_out_of_range_is_said_to_be_at_the_edge() -> None:
    predict = roofline()
    measured = predict(np.zeros(2), 1) + math.log(10 * RANGE)
    assert solve(predict, measured, [0], 2).reasons == {0: "edge"}


def test_of_as_many_measurements_as_scales_nothing_is_known_of_the_error() -> None:
    predict = roofline(BYTES[[1, 4]], CYCLES[[1, 4]])
    measured = predict(np.log([1.5, 0.7]), 1)
    known = spread(solve(predict, measured, [0, 1], 2), np.zeros(2))
    assert known is not None
    assert known.factors is None
    assert left_out(predict, measured, [0, 1], 2) is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of the mean of layers that are all busy: 95 % of 300 fits, give or take four standard deviations."""
    predict, drawn = roofline(BYTES / 1e4), np.random.default_rng(0)
    held = 0
    for _ in range(300):
        measured = predict(np.zeros(2), 1) + drawn.normal(0.0, 0.05, len(BYTES))
        found = solve(predict, measured, [1], 2)
        known = spread(found, predict(found.parameters, 1) - measured)
        assert known is not None
        assert known.factors is not None
        held += abs(found.parameters[1]) <= math.log(known.factors[0])
    assert abs(held / 300 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 300)


def test_a_layer_that_is_left_out_is_told_by_the_others_alone() -> None:
    """The only one that waits for DRAM, four times too long: without it the bandwidth is the file's own."""
    predict = roofline(BYTES[:4], CYCLES[:4])
    measured = predict(np.zeros(2), 1)
    measured[3] += math.log(4)
    found = left_out(predict, measured, [0, 1], 2)
    assert found is not None
    assert solve(predict, measured, [0, 1], 2).parameters[0] == pytest.approx(-math.log(4), abs=1e-3)
    assert found[0][3] == pytest.approx(math.log(8), abs=1e-3)
    assert found[1] == 4


def test_many_are_left_out_in_ten_parts() -> None:
    predict = roofline(np.tile(BYTES, 5), np.tile(CYCLES, 5))
    truth = np.log([1.5, 0.7])
    found = left_out(predict, predict(truth, 1), [0, 1], 2)
    assert found is not None
    assert found[1] == 10
    assert found[0] == pytest.approx(predict(truth, 1), abs=1e-3)
