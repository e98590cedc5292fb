"""``experiments/intergrad_assumptions.toml`` and ``fc_layer.toml``: the figures that their notes state."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from jaxgrad.studies import compare, points, runner, schema
from jaxgrad.studies.points import Point
from jaxgrad.studies.sensitivity import sensitivity
from jaxgrad.studies.settings import Change
from jaxgrad.studies.store import Store
from tests.command import ROOT
from tests.experiments.recorded import NETWORKS, layers

FILE = ROOT / "experiments" / "intergrad_assumptions.toml"
EXPERIMENT = schema.load(FILE)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    kept = Store(tmp_path_factory.mktemp("store"))
    for network in NETWORKS:
        gemms = [asdict(gemm) for gemm in layers(network)]
        kept.put("traces", {"network": network, "batch": 1, "vector": False}, {"gemms": gemms, "vector": []})
    return kept


def ratios(store: Store, *changes: Change | None) -> list[dict[str, list[float]]]:
    """Cycles, accesses and energy of each network under each change."""
    wanted = [point for point in points.expand(EXPERIMENT, FILE) if point.change in changes]
    rows = compare.rows(EXPERIMENT, [(point, summary) for point, summary, _ in runner.run(wanted, store)])
    found = sensitivity(EXPERIMENT, rows)
    assert found is not None
    assert [(each.network, each.quantity) for each in found.figures] == [
        (network, quantity) for network in NETWORKS for quantity in ("cycles", "accesses", "energy")
    ]
    by_change = {line.change: [round(ratio or 0, 3) for ratio in line.ratios] for line in found.lines}
    return [dict(zip(NETWORKS, (by_change[change][:3], by_change[change][3:]), strict=True)) for change in changes]


def test_as_written_all_six_figures_are_within_four_points(store: Store) -> None:
    (written,) = ratios(store, None)
    assert written == {"inception-v4": [0.930, 0.799, 0.860], "densenet264": [0.765, 0.769, 0.859]}
    published = [figure.ratio or 0 for figure in EXPERIMENT.published]
    assert published == [0.96, 0.83, 0.88, 0.73, 0.74, 0.82]
    ours = [ratio for own in written.values() for ratio in own]
    assert max(abs(own - theirs) for own, theirs in zip(ours, published, strict=True)) < 0.04


def test_a_map_of_196_pixels_is_a_cliff(store: Store) -> None:
    """One row more of the WS array, and DenseNet-264's ratio of accesses is 9 points higher."""
    below, above = ratios(store, Change("WS rows", "195"), Change("WS rows", "196"))
    assert below == {"inception-v4": [0.959, 0.866, 0.812], "densenet264": [0.706, 0.807, 0.750]}
    assert above == {"inception-v4": [0.958, 0.866, 0.810], "densenet264": [0.789, 0.893, 0.803]}


def test_the_array_of_equal_area_is_what_the_notes_say() -> None:
    written: list[Point] = [point for point in points.expand(EXPERIMENT, FILE) if point.change is None]
    arrays = {point.variant: (point.machine.array.rows, point.machine.array.cols) for point in written}
    assert arrays == {"WS": (161, 192), "interleaved": (128, 192)}


def test_the_dense_layer_s_figures(tmp_path: Path) -> None:
    """Over WS + OS with the update's R cycles a tile: (3R+C+2B-2) against 2(2R+C+B-2) + R, 256 tiles each."""
    file = ROOT / "experiments" / "fc_layer.toml"
    experiment = schema.load(file)
    charged, in_array = "WS + OS, separate update, its cycles charged", "interleaved, update in array"
    overlapped = f"{in_array}, drain overlapped"
    wanted = [
        point
        for point in points.expand(experiment, file)
        if point.at["PEs"] == "single" and point.variant in (experiment.baseline, charged, in_array, overlapped)
    ]
    results = [(point, summary) for point, summary, _ in runner.run(wanted, Store(tmp_path))]
    by_place = {(row.point.at["batch"], row.point.variant): row.values for row in compare.rows(experiment, results)}
    for batch in (1, 16, 32, 64, 256, 1024):
        base, own = by_place[str(batch), charged], by_place[str(batch), in_array]
        assert base["cycles"] == 256 * (2 * (3 * 64 + batch - 2) + 64)
        assert own["cycles"] == 256 * (4 * 64 + 2 * batch - 2)
        assert by_place[str(batch), overlapped] == {**own, "cycles": 256 * (3 * 64 + 2 * batch - 2) + 64}
    assert (by_place["32", charged]["accesses"] or 0) / (by_place["32", in_array]["accesses"] or 1) == pytest.approx(
        1.88, abs=0.005
    )
    fewer = [
        (by_place[batch, charged]["cycles"] or 0) / (by_place[batch, overlapped]["cycles"] or 1)
        for batch in ("4", "8", "16", "32", "64", "128", "256")
    ]
    assert fewer == pytest.approx([2.28, 2.23, 2.14, 2.00, 1.80, 1.57, 1.36], abs=0.005)


def test_drains_that_overlap_with_loads_save_cycles_alone(store: Store) -> None:
    apart, together = ratios(
        store,
        Change("PEs", "single-buffered"),
        Change("drain and next load", "at once, single-buffered"),
    )
    assert apart == {"inception-v4": [0.801, 0.807, 0.847], "densenet264": [0.753, 0.810, 0.799]}
    assert together == {"inception-v4": [0.756, 0.807, 0.847], "densenet264": [0.707, 0.810, 0.799]}
