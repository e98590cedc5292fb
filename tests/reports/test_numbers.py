"""Numbers as reports write them."""

from __future__ import annotations

import pytest

from jaxgrad.reports.numbers import (
    Unit,
    byte_unit,
    cell,
    energy_unit,
    fixed,
    measured,
    percent,
    ratio,
    saving,
    short,
    tick,
    time_unit,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (999, "999"), (1000, "1.00k"), (1234, "1.23k"), (9994, "9.99k"), (9995, "10.0k"),
        (99_949, "99.9k"), (99_950, "100k"), (999_499, "999k"), (999_500, "1.00M"), (1_234_567, "1.23M"),
        (4_563_402_752, "4.56G"), (10**12, "1.00T"), (10**15, "1.00P"), (2**63, "9.22E"), (10**25, "1e+25"),
    ],
)  # fmt: skip
def test_short(value: int, text: str) -> None:
    assert short(value) == text


def test_ratio() -> None:
    assert ratio(5, 4) == "1.25"
    assert ratio(0, 4) == "0.00"
    assert ratio(4, 0) == "-"


def test_percent() -> None:
    assert percent(1, 3) == "33%"
    assert percent(1, 0) == "-"


def test_saving() -> None:
    assert saving(3, 4) == "25.0% fewer"
    assert saving(5, 4) == "25.0% more"
    assert saving(4, 4) == "no fewer"
    assert saving(100_000, 100_001) == "no fewer"
    assert saving(0, 0) == "no fewer"


@pytest.mark.parametrize(
    ("pj", "expected"),
    [
        (0.0, "pJ"), (0.5, "pJ"), (999.0, "pJ"), (1e3, "nJ"), (2e6, "uJ"), (9.9e8, "uJ"), (1e9, "mJ"), (5e13, "J"),
        (2e15, "kJ"), (7e18, "MJ"), (3e21, "GJ"), (3e25, "TJ"), (999.6, "nJ"), (float("nan"), "pJ"),
    ],
)  # fmt: skip
def test_the_unit_of_energy_suits_its_size(pj: float, expected: str) -> None:
    assert energy_unit(pj).name == expected


def test_a_quantity_has_three_digits_and_its_unit() -> None:
    assert energy_unit(2.07e11).quantity(2.07e11) == "207 mJ"  # and not 207k uJ
    assert energy_unit(2.07e11).written(1e9) == "1"


def test_a_quantity_just_below_a_unit_has_no_power_of_ten() -> None:
    assert energy_unit(9.996e5).quantity(9.996e5) == "1 uJ"
    assert Unit("mm2", 1e6).quantity(9.999e8) == "1.00k mm2"


def test_units_of_bytes_and_of_time() -> None:
    assert [byte_unit(size).quantity(size) for size in (12, 1.5e6, 2e12)] == ["12 B", "1.5 MB", "2 TB"]
    assert [time_unit(seconds).quantity(seconds) for seconds in (2e-7, 0.25, 90, 3.6e6)] == [
        "200 ns", "250 ms", "1.5 minutes", "1.00k hours",
    ]  # fmt: skip


def test_measured_numbers_have_three_digits() -> None:
    assert [measured(value) for value in (None, 0.0, 0.12345, 12.345, 999.4, 999.7, 1000.0, 1234567, -2000)] == [
        "-", "0", "0.123", "12.3", "999", "1.00k", "1.00k", "1.23M", "-2.00k",
    ]  # fmt: skip
    assert [measured(value) for value in (float("nan"), float("inf"), 1e-9, 1e30)] == ["nan", "inf", "1e-09", "1e+30"]


def test_fixed() -> None:
    assert [fixed(value, 3) for value in (None, 1.0, 0.12345)] == ["-", "1.000", "0.123"]
    assert percent(1, 3, 1) == "33.3%"


def test_ticks_are_numbers_as_one_would_write_them() -> None:
    assert [tick(value) for value in (0.5, 16, 1000, 1024, 4096, 65536, 20_000, 1.84e6)] == [
        "0.5", "16", "1k", "1024", "4096", "65536", "20k", "1.84M",
    ]  # fmt: skip


def test_numbers_are_written_with_their_thousands_apart() -> None:
    assert [cell(value) for value in (1234567, 0.5, 12345.678, float("nan"), None, "as is", True, 1e300)] == [
        "1,234,567", "0.5", "12,346", "nan", "-", "as is", "True", "1e+300",
    ]  # fmt: skip
