"""N:M sparsity: the words that are asked for against a walk, and the reports against SCALE-Sim's own."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.cfg import Config, read_cfg
from jaxgrad.interop.scalesim.folds import Dataflow, Folds
from jaxgrad.interop.scalesim.layers import DENSE, Layer, Row, Sparsity, gemm_layer, with_sparsity
from jaxgrad.interop.scalesim.model import figures
from jaxgrad.interop.scalesim.quirks import ALL, corrections
from jaxgrad.interop.scalesim.reports import reports
from jaxgrad.interop.scalesim.storage import storage
from jaxgrad.interop.scalesim.topology import read_topology
from jaxgrad.interop.scalesim.windows import Windows
from tests.interop.scalesim import oracle
from tests.interop.scalesim.make_goldens import COMPENSATED, SPARSE_GOLDENS, SPARSE_REPORTS, sparse_cases
from tests.interop.scalesim.shapes import arrays, convolutions, dataflows

ratios = st.integers(1, 6).flatmap(lambda block: st.builds(Sparsity, st.integers(1, block), st.just(block)))
CASES = json.loads(SPARSE_GOLDENS.read_text())
PRUNED = Layer("pruned", 9, 7, 3, 2, 5, 6, 2, sparsity=Sparsity(2, 4))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_reports_are_scale_sim_s_own(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "golden.cfg").write_text(case["cfg"])
    (tmp_path / "topology.csv").write_text(case["topology"])
    config = read_cfg(tmp_path / "golden.cfg")
    layers = [
        with_sparsity(layer, used=True) for layer in read_topology(tmp_path / "topology.csv", case["kind"]).layers
    ]
    expected = {name: case["reports"][name] for name in SPARSE_REPORTS}
    if sys.version_info >= (3, 12):
        expected["COMPUTE_REPORT.csv"] = case["reports"][COMPENSATED]
    assert reports([figures(layer, config) for layer in layers], config.sparsity) == expected


def test_goldens_are_of_the_cases_that_the_script_makes() -> None:
    assert [{key: case[key] for key in ("name", "kind", "cfg", "topology")} for case in CASES] == sparse_cases()


@given(convolutions(), ratios, arrays, dataflows, st.integers(1, 130))
def test_only_stored_places_are_asked_for(
    layer: Layer, ratio: Sparsity, array: tuple[int, int], dataflow: Dataflow, held: int
) -> None:
    layer = replace(layer, sparsity=ratio)
    windows = Windows(layer, Folds(layer.product, *array, dataflow))
    lines = oracle.demand(layer, *array, dataflow).ifmap
    assert windows.different == len({word for line in lines for word in line})
    assert windows.last_cycle == max(cycle for cycle, line in enumerate(lines) if line)
    assert windows.fillings(held) == oracle.fillings(lines, held)


@given(convolutions(), ratios, st.integers(1, 3), arrays, dataflows, st.integers(1, 130))
def test_a_layer_whose_pixels_store_the_same_channels_is_one_of_these(
    layer: Layer, ratio: Sparsity, blocks: int, array: tuple[int, int], dataflow: Dataflow, held: int
) -> None:
    layer = replace(layer, channels=blocks * ratio.block, sparsity=ratio)
    assert layer.condensed.sparsity is None
    assert layer.condensed.product == layer.product
    windows = Windows(layer.condensed, Folds(layer.product, *array, dataflow))
    assert windows.fillings(held) == oracle.fillings(oracle.demand(layer, *array, dataflow).ifmap, held)


def test_other_layers_are_not_condensed() -> None:
    assert PRUNED.channels % 4
    assert PRUNED.condensed == PRUNED
    dense = replace(PRUNED, sparsity=None)
    assert dense.condensed == dense


def test_the_product_has_the_places_that_are_stored() -> None:
    kept = [place for place in range(30) if place % 4 < 2]
    assert PRUNED.product == (4 * 4, 6, len(kept))
    assert PRUNED.dense_product == replace(PRUNED, sparsity=None).product == (16, 6, 30)


@pytest.mark.parametrize("ratio", [Sparsity(2, 4), Sparsity(1, 1), Sparsity(3, 8), Sparsity(4, 5)])
def test_storage_is_that_of_a_matrix_written_out(ratio: Sparsity) -> None:
    layer = replace(PRUNED, sparsity=ratio)
    mask = np.repeat((np.arange(30) % ratio.block < ratio.kept)[:, None], 6, axis=1)
    stored = int(mask.sum())
    bits = len(f"{ratio.block - 1:b}") if ratio.block > 1 else 0
    assert storage(layer, "csr") == (180, 2 * stored + 31, stored + 31)
    assert storage(layer, "csc") == (180, 2 * stored + 7, stored + 7)
    assert storage(layer, "ellpack_block") == (180, stored + stored * bits / 32, stored * bits / 32)


def test_a_machine_makes_use_of_it_or_not() -> None:
    row = Row(PRUNED, 1)
    part = replace(PRUNED, row=row)
    assert with_sparsity(part, used=True) == part
    assert with_sparsity(gemm_layer("g", 4, 3, 8), used=True).sparsity == DENSE
    ignored = with_sparsity(part, used=False)
    assert ignored.sparsity is None
    assert ignored.row is not None
    assert ignored.row.layer.sparsity is None


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_macs_of_zeros_are_put_right(dataflow: Dataflow) -> None:
    config = Config("sparse", 4, 3, 8, 8, 8, dataflow, sparsity="csr")
    found = figures(PRUNED, config)
    right = {(row.quirk, row.figure): row.corrected for row in corrections(PRUNED, config, found)}
    assert found.macs == 16 * 6 * 30
    assert right["dense MACs", "MACs"] == right[ALL, "MACs"] + (16 - 12) * 6 * 16 == 16 * 6 * 16
