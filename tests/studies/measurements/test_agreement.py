"""Errors, ratios and their means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.studies.measurements.agreement import Agreement, by_quantity, overall
from jaxgrad.studies.measurements.sections import MeasuredSection


def agreement(value: float, ours: float, unit: str = "s", std: float | None = None) -> Agreement:
    section = MeasuredSection(value=value, unit=unit, std=std, source="a paper")
    return Agreement(section, ours, "net", "WS", "step")


def test_errors_are_in_the_unit_of_the_measurement() -> None:
    one = agreement(2.0, 2.5e-3, "ms")
    assert (one.written, one.error, one.percent, one.ratio) == pytest.approx((2.5, 0.5, 25.0, 1.25))
    two = agreement(4.0, 2.0 * 1024, "KiB")
    assert (two.written, two.error, two.percent, two.ratio) == pytest.approx((2.0, -2.0, -50.0, 0.5))


@pytest.mark.parametrize(("std", "ours", "within"), [(None, 2.0, None), (0.1, 2.19, True), (0.1, 1.79, False)])
def test_ours_is_within_the_error_bar_or_not(std: float | None, ours: float, within: bool | None) -> None:
    assert agreement(2.0, ours, std=std).is_within is within


def test_means_are_of_errors_without_signs_and_of_ratios_as_factors() -> None:
    found = overall([agreement(1.0, 2.0), agreement(4.0, 2.0, std=2.0), agreement(1.0, 0.9, std=1.0)])
    assert found.points == 3
    assert found.mape == pytest.approx((100 + 50 + 10) / 3)
    assert found.ratio == pytest.approx((2.0 * 0.5 * 0.9) ** (1 / 3))
    assert found.worst == pytest.approx(100.0)
    assert (found.within, found.bars) == (2, 2)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=1, max_size=9), st.floats(0.1, 10))
def test_means_do_not_depend_on_the_unit_or_on_the_order(pairs: list[tuple[float, float]], size: float) -> None:
    one = overall(agreement(value, ours) for value, ours in pairs)
    other = overall(agreement(value * size, ours * size) for value, ours in reversed(pairs))
    assert other.mape == pytest.approx(one.mape, abs=1e-9)
    assert other.ratio == pytest.approx(one.ratio)


def test_quantities_are_told_apart_and_units_of_one_are_not() -> None:
    some = [agreement(1.0, 1.0, unit) for unit in ("ms", "cycles", "us", "kcycles", "MB")]
    assert {name: len(group) for name, group in by_quantity(some).items()} == {"time": 2, "cycles": 2, "dram_bytes": 1}
