"""Ratios drawn for each filter: the reports against SCALE-Sim's own, and the array's requests against a walk."""

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

from jaxgrad.interop.scalesim.cfg import read_cfg
from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.layers import DENSE, Layer, Row, RowWise, with_sparsity
from jaxgrad.interop.scalesim.model import figures
from jaxgrad.interop.scalesim.quirks import ALL, corrections
from jaxgrad.interop.scalesim.reports import reports
from jaxgrad.interop.scalesim.row_wise import RowWiseFilters, RowWiseWindows, ratios, stored
from jaxgrad.interop.scalesim.topology import read_topology
from tests.interop.scalesim import oracle
from tests.interop.scalesim.make_goldens import COMPENSATED, ROW_WISE_GOLDENS, SPARSE_REPORTS, row_wise_cases
from tests.interop.scalesim.shapes import convolutions

CASES = json.loads(ROW_WISE_GOLDENS.read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_reports_are_scale_sim_s_own(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "golden.cfg").write_text(case["cfg"])
    (tmp_path / "topology.csv").write_text(case["topology"])
    config = read_cfg(tmp_path / "golden.cfg")
    layers = read_topology(tmp_path / "topology.csv", case["kind"]).layers
    taken = [with_sparsity(layer, used=True, row_wise=config.row_wise) for layer in layers]
    expected = {name: case["reports"][name] for name in SPARSE_REPORTS}
    if sys.version_info >= (3, 12):
        expected["COMPUTE_REPORT.csv"] = case["reports"][COMPENSATED]
    assert reports([figures(layer, config) for layer in taken], config.sparsity) == expected


def test_goldens_are_of_the_cases_that_the_script_makes() -> None:
    assert [{key: case[key] for key in ("name", "kind", "cfg", "topology")} for case in CASES] == row_wise_cases()


blocks = st.sampled_from([(2, 3), (3, 3), (4, 4), (4, 6), (5, 5), (6, 9), (8, 4), (8, 8)])  # M, and rows of an array


def walked(layer: Layer, rows: int, cols: int) -> oracle.Demand:
    """The words that cross the array's edges, filter by filter and block by block."""
    m, n, _ = layer.product
    assert layer.row_wise is not None
    size, kept = layer.row_wise.block, ratios(layer.row_wise, n)
    dense = replace(layer, sparsity=None, row_wise=None)
    slots: list[list[int | None]] = [[None] * layer.row_wise.slots(layer.window) for _ in range(n)]
    for column, each in zip(slots, kept.tolist(), strict=True):
        for place in range(layer.window):
            pair, rest = divmod(place, 2 * size)
            block, rank = divmod(rest, size)
            if rank < each:
                column[pair * (size // 2) * 2 + block * (size // 2) + rank] = place
    total = oracle.Demand([], [], [])
    for left in range(0, n, cols):
        for top in range(0, len(slots[0]), rows):
            fold = oracle.Demand(*([[] for _ in range(2 * rows + cols + m - 2)] for _ in range(3)))
            for line in range(rows):
                for filter_ in range(left, min(left + cols, n)):
                    place = slots[filter_][top : top + rows][line:][:1]
                    if place and place[0] is not None:
                        fold.filters[rows - 1 - line].append(filter_ * layer.window + place[0])
            late = 0
            for start in range(2 * top, 2 * top + 2 * rows, size):
                for _ in range(size // 2):
                    for window in range(m):
                        for place in range(start, min(start + size, layer.window)):
                            fold.ifmap[rows + window + late] += oracle.ifmap_word(dense, window, place)
                    late += 1
            for lines, more in zip(total, fold, strict=True):
                lines.extend(more)
    return total


@given(convolutions(), blocks, st.integers(0, 9), st.integers(1, 5), st.integers(1, 130))
def test_requests_are_those_of_a_walk(
    layer: Layer, block_and_rows: tuple[int, int], seed: int, cols: int, held: int
) -> None:
    block, rows = block_and_rows
    layer = replace(layer, sparsity=DENSE, row_wise=RowWise(block, seed))
    folds = Folds(layer.product, rows, cols, "ws")
    windows, filters = RowWiseWindows(layer, folds), RowWiseFilters(layer, folds)
    demand = walked(layer, rows, cols)
    for requests, lines in ((windows, demand.ifmap), (filters, demand.filters)):
        asked = [cycle for cycle, line in enumerate(lines) if line]
        assert requests.fillings(held) == oracle.fillings(lines, held)
        first, last = (
            (windows.first_cycle, windows.last_cycle) if requests is windows else (filters.first, filters.last)
        )
        assert (first, last) == (asked[0], asked[-1])
    words = sum(map(len, demand.filters))
    assert filters.lines.sum() == words == stored(RowWise(block, seed), layer.window, layer.filters)


def test_ratios_begin_anew_with_each_layer_and_hold_half_a_block_at_most() -> None:
    drawn = ratios(RowWise(8, 3), 200)
    assert set(drawn.tolist()) == {1, 2, 3, 4}
    np.testing.assert_array_equal(drawn[:50], ratios(RowWise(8, 3), 50))
    assert ratios(RowWise(3, 3), 5).tolist() == [1] * 5


def test_what_is_empty_is_put_right(tmp_path: Path) -> None:
    (tmp_path / "golden.cfg").write_text(CASES[0]["cfg"])
    config = read_cfg(tmp_path / "golden.cfg")
    assert config.row_wise == RowWise(4, 40)
    row = Layer("pruned", 9, 7, 3, 2, 5, 6, 2)
    layer = with_sparsity(replace(row, row=Row(row, 0)), used=True, row_wise=config.row_wise)
    assert layer.row is not None
    assert layer.row.layer.row_wise == config.row_wise
    found = figures(layer, config)
    right = {(each.quirk, each.figure): each.corrected for each in corrections(layer, config, found)}
    kept = sum(int((np.arange(30) % 4 < ratio).sum()) for ratio in ratios(RowWise(4, 40), 6))
    assert found.macs == 16 * 6 * 30
    assert right["dense MACs", "MACs"] == 16 * kept
    assert right["output size", "MACs"] == right[ALL, "MACs"] == 12 * kept
    assert right["empty slots", "SRAM Filter Reads"] == kept
    assert right["empty slots", "SRAM IFMAP Reads"] == 16 * 30 * 2 * 2  # each block twice, in two folds of filters
