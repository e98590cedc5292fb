"""A measurement as a file gives it: its unit, its mean, its error bar, and what will not do."""

from __future__ import annotations

from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import validated
from jaxgrad.studies.measurements.sections import CalibrateSection, MeasuredSection
from jaxgrad.studies.measurements.units import UNITS

ONE: dict[str, Any] = {"value": 2.0, "unit": "ms", "source": "a paper"}


def section(**keys: Any) -> MeasuredSection:
    whole = {**ONE, **keys}
    return validated(MeasuredSection, {key: value for key, value in whole.items() if value is not None}, "F")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"value": 0.0}, "value in F: got 0.0; give a number above 0"),
        ({"value": -1.0}, "value in F: got -1.0; give a number above 0"),
        ({"value": float("nan")}, "value in F: got nan; give a number above 0"),
        ({"value": 1e300}, "value in F: got 1e+300; give a number from 1e-30 to 1e+30"),
        ({"value": "2"}, "value in F: got '2'; give a number above 0"),
        ({"value": None}, "value in F: got neither; give value or samples"),
        ({"samples": [1.0, 2.0]}, "value in F: got both; give value or samples"),
        ({"value": None, "samples": [1.0]}, "samples in F: got [1.0]; give at least 2"),
        ({"value": None, "samples": [1.0, 0.0]}, "samples.1 in F: got 0.0; give a number above 0"),
        ({"std": 0.1, "ci95": 0.2}, "ci95 in F: got std and ci95; give one of samples, std and ci95"),
        ({"std": -0.1}, "std in F: got -0.1; give a number above 0"),
        ({"unit": "fortnights"}, "unit in F: got 'fortnights'; choose one of cycles, kcycles"),
        ({"unit": 3}, "unit in F: got 3; choose one of cycles"),
        ({"unit": None}, "unit in F: got none"),
        ({"source": None}, "source in F: got none"),
        ({"phase": "sideways"}, "phase in F: got 'sideways'; choose one of forward, dx, dw"),
        ({"unit": "mm2", "phase": "step"}, "phase in F: got 'step' with unit 'mm2'; leave it out: area has none"),
        ({"unit": "images/s", "layer": "conv1"}, "layer in F: got 'conv1' with unit 'images/s'; leave it out"),
        ({"layer": "conv1", "phase": "vector"}, "phase in F: got 'vector' of layer 'conv1'"),
        ({"valeu": 2.0}, "valeu in F: got 2.0; there is no such key; choose one of file, value"),
    ],
)
def test_what_will_not_do_is_one_line(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        section(**keys)
    message = str(raised.value)
    assert message.startswith(said)
    assert len(message.splitlines()) == 1


def test_every_unit_is_listed_where_one_is_unknown() -> None:
    with pytest.raises(InputError) as raised:
        section(unit="Joule")
    assert all(f"{name}" in str(raised.value) for name in UNITS)


def test_error_bars_are_what_they_say() -> None:
    """Half widths: a normal's 95 %, an interval as it is given, and Student's t of the mean of samples."""
    assert section().bar is None
    assert section(std=0.5).bar == pytest.approx(0.98)
    assert section(ci95=0.3).bar == 0.3
    samples = section(value=None, samples=[9.0, 10.0, 11.0])
    assert samples.mean == 10.0
    assert samples.bar == pytest.approx(4.302653 * 1.0 / 3**0.5, rel=1e-5)  # t of 2 degrees of freedom, from a table


def test_phases_may_be_written_as_the_tables_write_them() -> None:
    assert [section(phase=phase).phase for phase in ("dX", "dW", "dX+dW", "step")] == ["dx", "dw", "dx+dw", "step"]


def test_what_is_fitted_is_bandwidth_clock_or_both() -> None:
    assert CalibrateSection().values == ["dram_gb_per_s", "clock_ghz"]
    with pytest.raises(InputError, match=r"values.0 in F: got 'sram_kib'; choose one of dram_gb_per_s, clock_ghz"):
        validated(CalibrateSection, {"values": ["sram_kib"]}, "F")
    with pytest.raises(InputError, match="values in F: got"):
        validated(CalibrateSection, {"values": []}, "F")
