"""Our reports against SCALE-Sim 3.0.0's own, letter for letter; ``make_goldens.py`` says how those came to be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from jaxgrad.interop.scalesim import model
from jaxgrad.interop.scalesim.cfg import Config, read_cfg
from jaxgrad.interop.scalesim.folds import Dataflow, Folds
from jaxgrad.interop.scalesim.layers import Layer, gemm_layer
from jaxgrad.interop.scalesim.model import figures
from jaxgrad.interop.scalesim.reports import reports
from jaxgrad.interop.scalesim.topology import read_topology
from tests.interop.scalesim import oracle
from tests.interop.scalesim.make_goldens import COMPENSATED, GOLDENS, REPORTS, cases
from tests.interop.scalesim.shapes import arrays, dataflows, layers

CASES = json.loads(GOLDENS.read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_reports_are_scale_sim_s_own(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "golden.cfg").write_text(case["cfg"])
    (tmp_path / "topology.csv").write_text(case["topology"])
    config = read_cfg(tmp_path / "golden.cfg")
    topology = read_topology(tmp_path / "topology.csv", case["kind"])
    expected = {name: case["reports"][name] for name in REPORTS}
    if sys.version_info >= (3, 12):
        expected["COMPUTE_REPORT.csv"] = case["reports"][COMPENSATED]
    assert reports([figures(layer, config) for layer in topology.layers]) == expected
    assert config.notes == ()
    assert all("DP in the name" in note for note in topology.notes)


def test_goldens_are_of_the_cases_that_the_script_makes() -> None:
    kept = [{key: case[key] for key in ("name", "kind", "cfg", "topology")} for case in CASES]
    assert kept == cases()


def test_goldens_show_every_kind_of_traffic() -> None:
    """Operands that fit and that do not, drains during the layer and after it, windows outside: none is left out."""
    texts = [case["reports"]["DETAILED_ACCESS_REPORT.csv"].splitlines()[1:] for case in CASES]
    rows = [row.split(", ") for text in texts for row in text]
    assert len(rows) == 896
    assert {row[11] == "-1.0" for row in rows} == {row[14] == "-1.0" for row in rows} == {True, False}
    assert {float(row[16]) < float(row[8]) for row in rows} == {True, False}
    assert {case["kind"] for case in CASES} == {"conv", "gemm"}


@given(layers, arrays, dataflows)
def test_sram_traffic_is_what_crosses_the_edges(layer: Layer, array: tuple[int, int], dataflow: Dataflow) -> None:
    config = Config("law", *array, 1, 2, 3, dataflow)
    if Folds(layer.product, *array, dataflow).cycles == 1:
        return
    found = figures(layer, config)
    streams = oracle.demand(layer, *array, dataflow)
    for lines, traffic, late in zip(streams, found.sram, (1, 1, 0), strict=True):
        used = [cycle for cycle, line in enumerate(lines) if line]
        assert (traffic.start, traffic.stop) == (used[0] + late, used[-1] + late)
    assert found.filter_sram.words == sum(map(len, streams.filters))
    if dataflow != "os":
        assert found.ofmap_sram.words == sum(map(len, streams.ofmap))
    assert found.cycles == len(streams.ifmap) - 1


def test_a_product_of_one_cycle_has_no_figures() -> None:
    config = Config("one", 1, 1, 1, 1, 1, "os")
    with pytest.raises(
        ValueError, match=r"^layer 'dot' on line 7: got a product of one cycle, .*; leave the layer out$"
    ):
        figures(gemm_layer("dot", 1, 1, 1, line=7), config)


def test_a_buffer_filled_twice_in_one_cycle_has_no_figures() -> None:
    # 600 words a cycle into a buffer of 500: twice full in the fifth. SCALE-Sim 3.0.0 ends in a ZeroDivisionError.
    layer = gemm_layer("wide", 1, 600, 12, line=2)
    with pytest.raises(ValueError, match=r"^layer 'wide' on line 2: got FilterSramSzkB of 1, .*; give a larger SRAM"):
        figures(layer, Config("wide", 2, 600, 1, 1, 1, "ws"))
    assert figures(layer, Config("wide", 2, 600, 1, 2, 1, "ws")).cycles == 3617  # as SCALE-Sim's


def test_averages_over_very_many_folds_are_rounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, config = gemm_layer("odd", 37, 29, 31), Config("odd", 4, 3, 1, 1, 1, "ws")
    summed = figures(layer, config)
    monkeypatch.setattr(model, "_MOST_ADDITIONS", 0)
    model._figures.cache_clear()
    rounded = figures(layer, config)
    model._figures.cache_clear()
    assert rounded.mapping_efficiency == pytest.approx(summed.mapping_efficiency, rel=1e-14)
    assert rounded.compute_utilisation == pytest.approx(summed.compute_utilisation, rel=1e-14)
    assert rounded.mapping_efficiency == 31 * 29 / (8 * 10 * 12) * 100


@pytest.mark.parametrize(
    ("layer", "dataflow"),
    [
        (gemm_layer("huge", 10**9, 10**9, 10**9), "ws"),
        (gemm_layer("broad", 1, 10**9, 1), "os"),
        (Layer("conv", 10**6, 10**6, 3, 3, 64, 64, 1), "is"),
        (Layer("conv", 10**9, 1, 1, 1, 64, 1, 2), "os"),
        (Layer("conv", 3000, 3000, 99, 99, 10, 3000, 1), "os"),
    ],
)
def test_what_would_take_hours_is_refused_at_once(layer: Layer, dataflow: Dataflow) -> None:
    with pytest.raises(ValueError, match=r"^layer '\w+' on line 0: got a product of \d+ x .*; give larger SRAMs"):
        figures(layer, Config("small", 4, 4, 1, 1, 1, dataflow))


def test_a_large_product_is_counted_at_once() -> None:
    found = figures(gemm_layer("unet", 4177936, 64, 576), Config("tpu", 256, 256, 6144, 6144, 2048, "os"))
    assert found.cycles == 16321 * (256 + 256 + 576 - 2) - 1
    assert found.ifmap_dram.words == found.ifmap_sram.words == 4177936 * 576
