"""A measurement must be of one thing that is computed; and a fit of what stands in the file itself."""

from __future__ import annotations

from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies import schema
from tests.studies.cases import tree

ONE = {"value": 2.0, "unit": "cycles", "source": "a paper", "variant": "WS", "at": {"batch": "2"}}
TIMED = {**ONE, "unit": "us"}


def measured(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in {**ONE, **keys}.items() if value is not None}


def test_a_measurement_of_one_thing_will_do() -> None:
    experiment = schema.check(tree(measured=[measured(), measured(network="40x24", phase="dX")]), "F")
    assert len(experiment.measured) == 2
    assert experiment.calibrate is None


@pytest.mark.parametrize(
    ("keys", "changes", "said"),
    [
        ({"variant": None}, {}, "measured.variant in F: got none of 3 variants; give one of WS, WS, equal area, inter"),
        ({"variant": "OS"}, {}, "measured.variant in F: got 'OS'; choose one of WS"),
        ({"network": "40x25"}, {}, "measured.network in F: got '40x25'; choose one of 40x24 (did you mean '40x24'?)"),
        ({}, {"workload__layers": [[40, 24], [8, 8]]}, "measured.network in F: got none of 2 networks"),
        ({"at": None}, {}, "measured.at in F: got {}; give a label of batch: a measurement is of one point"),
        ({"at": {"batch": "3"}}, {}, "measured.at in F: got batch = '3'; give a swept axis and one of its labels"),
        ({"at": {"size": "2"}}, {}, "measured.at in F: got size = '2'; give a swept axis"),
        (
            {"unit": "ms"},
            {"machine__memory": None},
            "measured.unit in F: got 'ms', a unit of time; give machine",
        ),
        (
            {"unit": "MB"},
            {"machine__memory": None},
            "measured.unit in F: got 'MB', a unit of dram_bytes; give",
        ),
        (
            {"unit": "mJ"},
            {"machine__technology": None},
            "measured.unit in F: got 'mJ', a unit of energy; give machine.technology or machine.energy_table too",
        ),
        ({"phase": "vector"}, {}, "measured.phase in F: got 'vector' without workload.vector"),
    ],
)
def test_what_is_of_nothing_or_of_several_is_refused(keys: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    if "machine__technology" in changes:
        changes = {**changes, "published": [], "variant__1__iso_area_with": None}
    with pytest.raises(InputError) as raised:
        schema.check(tree(**{**changes, "measured": [measured(**keys)]}), "F")
    assert str(raised.value).startswith(said)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"measured": []}, "calibrate in F: got it without a [[measured]] in cycles, a time or images/s"),
        ({"measured": [measured(unit="MB")]}, "calibrate in F: got it without a [[measured]]"),
        ({"measured": [measured(fit=False)]}, "calibrate in F: got it without a [[measured]]"),
        ({"machine__memory": None}, "calibrate in F: got no memory"),
        (
            {
                "sweep__0__keys": ["machine.memory.clock_ghz"],
                "sweep__0__values": [3.0],
                "sweep__0__labels": ["2"],
            },
            "calibrate.values in F: got 'clock_ghz', which a sweep or a variant gives (machine.memory.clock_ghz)",
        ),
        (
            {"variant__0__machine": {"memory": {"dram_gb_per_s": 3.0}}},
            "calibrate.values in F: got 'dram_gb_per_s', which a sweep or a variant gives",
        ),
        (
            {"sweep__0__keys": ["variant.WS.machine.memory.clock_ghz"], "sweep__0__values": [2.0]},
            "calibrate.values in F: got 'clock_ghz', which a sweep or a variant gives",
        ),
        ({"calibrate": True}, "calibrate in F: got True"),
        ({"calibrate": {"values": ["area"]}}, "calibrate.values.0 in F: got 'area'; choose one of dram_gb_per_s"),
    ],
)
def test_a_fit_that_can_t_be_is_refused(changes: dict[str, Any], said: str) -> None:
    at = {"batch": "2.0" if changes.get("sweep__0__values") == [2.0] else "2"}
    whole = {"measured": [measured(at=at)], "calibrate": {}, "published": [], **changes}
    with pytest.raises(InputError) as raised:
        schema.check(tree(**whole), "F")
    assert str(raised.value).startswith(said)
    assert len(str(raised.value).splitlines()) == 1


def test_a_fit_that_is_extended_may_be_taken_out() -> None:
    assert schema.check(tree(measured=[TIMED], calibrate=False), "F").calibrate is False
