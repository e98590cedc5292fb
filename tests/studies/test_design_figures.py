"""A sweep's figure draws the objectives it was asked for, and every Pareto-optimal design."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.designs.sweep import Table
from jaxgrad.studies import design_figures
from jaxgrad.studies.design_sweep import gathered

TABLE: Table = {
    "network": ["a"] * 4 + ["b"],
    "batch": [2] * 5,
    "rows": [4, 8, 16, 32, 64],
    "cols": [4] * 5,
    "schedule": ["ws_only"] * 5,
    "double_buffered": [True, False, True, True, True],
    "order": ["best"] * 5,
    "precision": ["bf16"] * 5,
    "sram_kib": [32, 64, 64, 64, 64],
    "dram_gb_per_s": [1.5] * 5,
    "cycles": [900, 500, 950, None, 1],
    "energy_pj": [5e9, 7e9, 9e9, None, 1.0],
    "area_um2": [1e6, 2e6, 3e6, 4e6, 1.0],
    "edp_js": [4.5e-9, 3.5e-9, 8e-9, None, 1.0],
}


def drawn(objectives: list[str], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(design_figures.plots, "pareto", lambda *given, **_: calls.append(given) or [Path("x.png")])
    networks = [{name: values[rows] for name, values in TABLE.items()} for rows in (slice(4), slice(4, 5))]
    found, _ = gathered(networks, objectives)
    files = design_figures.front(Path("x"), found)
    assert bool(files) == bool(calls)
    return calls


@pytest.mark.parametrize(
    ("objectives", "labels", "first"),
    [
        (["cycles", "area"], ["cycles", "area [mm2]"], (900, 1e6)),
        (["energy", "area"], ["energy [mJ]", "area [mm2]"], (5e9, 1e6)),
        (["area", "edp"], ["area [mm2]", "EDP [nJ s]"], (1e6, 4.5e-9)),
        (["cycles", "energy", "area"], ["cycles", "energy [mJ]", "area [mm2]"], (900, 5e9, 1e6)),
    ],
)
def test_the_axes_are_the_objectives(
    objectives: list[str], labels: list[str], first: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    ((points, _, title, quantities),) = drawn(objectives, monkeypatch)
    assert [quantity.label for quantity in quantities] == labels
    assert points[0].costs == first
    assert {point.kind for point in points} == {"ws_only"}
    assert len(points) == 3  # not the one that does not fit, nor the other network's
    assert title.startswith("a, batch 2: ")
    assert title.endswith(" (3 of 3 designs)")


def test_a_design_is_told_by_what_it_differs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ((points, *_),) = drawn(["cycles", "area"], monkeypatch)
    assert [point.label for point in points] == [
        "4x4 ws_only, double-buffered, 32 KiB", "8x4 ws_only, serial, 64 KiB", "16x4 ws_only, double-buffered, 64 KiB",
    ]  # fmt: skip


def test_one_objective_has_no_front_to_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(["cycles"], monkeypatch) == []
