"""Fits to measurements that the model itself made, with a bandwidth and a clock that are known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.costs import Summary
from jaxgrad.studies import compare, points, runner, schema
from jaxgrad.studies.calibration import model
from jaxgrad.studies.calibration.points import CalibrationPoint
from jaxgrad.studies.calibration.records import Calibration
from jaxgrad.studies.compute import Demand
from jaxgrad.studies.measured import agreements
from jaxgrad.studies.measurements.units import UNITS
from jaxgrad.studies.store import Store
from tests.studies.cases import tree

# On 8x8 PEs the first keeps the array busy from 8 bytes a cycle on, the others wait for DRAM up to 12.
LAYERS = [[96, 96], [256, 256], [700, 8], [8, 1000]]
OWN = 9.0, 1.0
Measured = list[dict[str, Any]]


def experiment_of(bandwidth: float, clock: float, measured: Measured, **changes: Any) -> schema.Experiment:
    memory = {"sram_kib": 16, "dram_gb_per_s": bandwidth, "clock_ghz": clock, **changes.pop("memory", {})}
    whole = {
        "workload": {"layers": LAYERS, "batch": 64},
        "machine": {"rows": 8, "cols": 8, "double_buffered": True, "memory": memory},
        "variant": [{"name": "WS", "schedule": "ws_only"}],
        "sweep": [],
        "published": [],
        "measured": measured,
        "compare": "forward",
    }
    return schema.check(tree(**{**whole, **changes}), "own.toml")


def made(bandwidth: float, clock: float, folder: Path, unit: str = "us", **changes: Any) -> Measured:
    """What the model with these says, as measurements."""
    entries = [{"network": f"{k}x{n}", "value": 1.0, "unit": unit, "source": "ours"} for k, n in LAYERS]
    experiment = experiment_of(bandwidth, clock, entries, **changes)
    results = list(runner.run(points.expand(experiment, folder / "own.toml"), Store(folder)))
    rows = compare.rows(experiment, [(point, summary) for point, summary, _ in results])
    found = agreements(experiment, rows)
    return [{**entry, "value": each.written} for entry, each in zip(entries, found, strict=True)]


def fit(measured: Measured, folder: Path, own: tuple[float, float] = OWN, **changes: Any) -> Calibration:
    experiment = experiment_of(*own, measured, **{"calibrate": {}, **changes})
    return CalibrationPoint(experiment, points.expand(experiment, folder / "own.toml")).compute(Store(folder))


@pytest.fixture(scope="module", autouse=True)
def costed_once() -> Iterator[None]:
    """Fits that start from the same values look at the same machines: each is costed once for all tests."""
    costed, known = model.costed, {}

    def remembered(point: points.Point, asked: Demand) -> Summary:
        key = repr((point.spec, point.machine, asked))
        if key not in known:
            known[key] = costed(point, asked)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "costed", remembered)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fits")


@settings(max_examples=2, deadline=None)
@given(st.floats(8.5, 11.0), st.floats(0.5, 2.0), st.integers(0, 2**32 - 1), st.sampled_from(["us", "rows/s", "ns"]))
def test_known_values_are_found_from_noisy_measurements(
    folder: Path, bytes_a_cycle: float, clock: float, seed: int, unit: str
) -> None:
    clock = round(clock, 3)
    bandwidth = round(bytes_a_cycle * clock, 3)
    exact = made(bandwidth, clock, folder, unit)
    noise = np.exp(np.random.default_rng(seed).normal(0.0, 0.005, len(exact)))
    found = fit([{**each, "value": each["value"] * by} for each, by in zip(exact, noise, strict=True)], folder)
    assert found.found == pytest.approx({"dram_gb_per_s": bandwidth, "clock_ghz": clock}, rel=0.04)
    truth = [each["value"] * UNITS[unit].size for each in exact]
    assert list(found.after.values()) == pytest.approx(truth, rel=0.04)
    # Each of those that wait for DRAM has another; the first may be the only one that tells the clock.
    assert [found.left_out[index] for index in (2, 3)] == pytest.approx(truth[2:], rel=0.08)
    assert found.folds == len(LAYERS)
    for value in found.values:
        assert value.low is not None
        assert value.high is not None
        assert value.low < value.used < value.high


def test_without_noise_the_values_themselves_are_found_and_kept(folder: Path) -> None:
    found = fit(made(17.0, 1.7, folder), folder)
    assert found.found == pytest.approx({"dram_gb_per_s": 17.0, "clock_ghz": 1.7}, rel=2e-3)
    assert Calibration.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_bandwidth_is_not_determined_where_no_layer_waits_for_dram(folder: Path) -> None:
    found = fit(made(4000.0, 1.25, folder)[:2], folder, (4000.0, 1.0))
    bandwidth, clock = found.values
    assert (bandwidth.found, bandwidth.reason, bandwidth.used) == (None, "no effect", 4000.0)
    assert clock.found == pytest.approx(1.25, rel=2e-3)
    assert bandwidth.from_on is not None
    # From there on it really makes no difference of a percent, and at half of that it does.
    rates = 4000.0, round(bandwidth.from_on), bandwidth.from_on // 2
    before, at, half = (made(rate, 1.25, folder)[:2] for rate in rates)
    assert [each["value"] for each in at] == pytest.approx([each["value"] for each in before], rel=0.012)
    assert [each["value"] for each in half] != pytest.approx([each["value"] for each in before], rel=0.012)


def test_the_clock_is_not_determined_where_all_layers_wait_for_dram(folder: Path) -> None:
    found = fit(made(1.25, 1.0, folder)[2:], folder, (1.0, 1.0))
    assert found.found == pytest.approx({"dram_gb_per_s": 1.25}, rel=2e-3)
    assert found.values[1].reason == "no effect"


def test_cycles_alone_tell_nothing_of_the_clock(folder: Path) -> None:
    """At another clock the same bytes move in a cycle."""
    found = fit(made(20.0, 2.0, folder, "kcycles"), folder)
    assert found.found == pytest.approx({"dram_gb_per_s": 10.0}, rel=2e-3)
    assert found.values[1].reason == "cycles"


def test_levels_keep_their_own_bandwidth_as_the_clock_changes(folder: Path) -> None:
    """A buffer of so many GB/s moves fewer bytes in a shorter cycle."""
    levels = [{"name": "buffer", "size_kib": 64, "gb_per_s": 12.0}]
    exact = made(10.0, 0.6, folder, memory={"levels": levels})[:1]
    found = fit(exact, folder, memory={"levels": levels}, calibrate={"values": ["clock_ghz"]}, own=(10.0, 0.9))
    assert found.found == pytest.approx({"clock_ghz": 0.6}, rel=5e-3)


def test_what_was_not_asked_for_stays(folder: Path) -> None:
    found = fit(made(9.0, 1.1, folder), folder, calibrate={"values": ["clock_ghz"]})
    assert found.found == pytest.approx({"clock_ghz": 1.1}, rel=2e-3)
    assert found.values[0].reason == "not asked"


def test_measurements_that_the_fit_may_not_use_do_not_move_it(folder: Path) -> None:
    exact = made(17.0, 1.7, folder)
    wrong = {**exact[1], "value": 9 * exact[1]["value"], "fit": False}
    found = fit([exact[0], wrong, *exact[2:]], folder)
    assert found.found == pytest.approx({"dram_gb_per_s": 17.0, "clock_ghz": 1.7}, rel=2e-3)
    assert found.used == (0, 2, 3)
    assert set(found.after) == {0, 1, 2, 3}


def test_single_layers_of_a_network_are_costed_alone_and_the_same(folder: Path) -> None:
    """Of a whole step, with both gradients: what is found is what the layers' own costs give."""
    changes = {"workload": {"networks": ["lenet"], "batch": 8}, "compare": "step"}
    entries = [{"layer": layer, "value": 1.0, "unit": "us", "source": "ours"} for layer in ("conv1", "dense1")]
    experiment = experiment_of(4.0, 2.0, entries, **changes)
    results = list(runner.run(points.expand(experiment, folder / "own.toml"), Store(folder)))
    rows = compare.rows(experiment, [(point, summary) for point, summary, _ in results])
    exact = [
        {**entry, "value": each.written} for entry, each in zip(entries, agreements(experiment, rows), strict=True)
    ]
    fitted = fit(exact, folder, (2.0, 2.0), calibrate={"values": ["dram_gb_per_s"]}, **changes)
    assert fitted.found == pytest.approx({"dram_gb_per_s": 4.0}, rel=5e-3)


def test_a_fit_is_known_by_all_that_decides_it(folder: Path) -> None:
    exact = made(17.0, 1.7, folder)

    def spec(measured: Measured, **changes: Any) -> str:
        experiment = experiment_of(*OWN, measured, **{"calibrate": {}, **changes})
        return json.dumps(CalibrationPoint(experiment, points.expand(experiment, Path("own.toml"))).spec)

    said_otherwise = [{**exact[0], "source": "another"}, *exact[1:]]
    others = [
        spec([{**exact[0], "value": 2.0}, *exact[1:]]),
        spec(exact, calibrate={"values": ["clock_ghz"]}),
        spec(exact, compare="step"),
        spec(exact, workload={"layers": LAYERS, "batch": 32}),
    ]
    assert len({spec(exact), *others}) == 5
    assert spec(said_otherwise) == spec(exact)
