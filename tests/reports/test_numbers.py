"""Numbers as reports write them."""

from __future__ import annotations

import pytest

from jaxgrad.reports.numbers import percent, ratio, saving, short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (999, "999"), (1000, "1.00k"), (1234, "1.23k"), (9994, "9.99k"), (9995, "10.0k"),
        (99_949, "99.9k"), (99_950, "100k"), (999_499, "999k"), (999_500, "1.00M"), (1_234_567, "1.23M"),
        (4_563_402_752, "4.56G"), (10**12, "1.00T"), (10**15, "1.00P"), (2**63, "9.22E"),
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
