"""experiments/rad_cost.toml says what it comes to, to the percent."""

from __future__ import annotations

from pathlib import Path

from jaxgrad.studies import compare, points, schema
from jaxgrad.studies.compute import compute
from jaxgrad.studies.store import Store
from tests.command import ROOT

FILE = ROOT / "experiments" / "rad_cost.toml"


def test_what_a_dense_layer_saves(tmp_path: Path) -> None:
    """A tenth of 784 columns: 35 % of the cycles where both gradients interleave, 30 % where they run apart."""
    values = {
        (point.at["schedule"], point.variant): compare.quantities(compute(point, Store(tmp_path)), point.measure)
        for point in points.expand(schema.load(FILE), FILE)
        if point.network == "784x300" and point.at["share kept"] == "0.1"
        if point.at["schedule"] in ("interleaved", "interleaved_n", "ws_only")
    }

    def ratio(schedule: str, variant: str, quantity: str) -> float:
        kept, exact = (values[schedule, name][quantity] for name in (variant, "exact"))
        assert kept
        assert exact
        return round(kept / exact, 2)

    schedules = ("interleaved", "interleaved_n", "ws_only")
    assert [ratio(schedule, "same", "cycles") for schedule in schedules] == [0.65, 0.65, 0.70]
    assert [ratio(schedule, "same", "energy") for schedule in schedules] == [0.65, 0.58, 0.68]
    assert [ratio(schedule, "project", "cycles") for schedule in schedules] == [0.94, 0.94, 1.01]
    assert [ratio(schedule, "different", "cycles") for schedule in schedules] == [1, 1, 1]
