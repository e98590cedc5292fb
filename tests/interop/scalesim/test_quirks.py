"""Each quirk, and what its figure should be, from first principles."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from jaxgrad.interop.scalesim.cfg import Config
from jaxgrad.interop.scalesim.folds import Dataflow, Folds
from jaxgrad.interop.scalesim.layers import Layer, Row, gemm_layer
from jaxgrad.interop.scalesim.model import figures
from jaxgrad.interop.scalesim.quirks import ALL, QUIRKS, corrections, true_cycles
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import arrays, dataflows, layers


def corrected(layer: Layer, config: Config) -> dict[tuple[str, str], tuple[float, float]]:
    found = corrections(layer, config, figures(layer, config))
    return {(quirk, figure): (reported, right) for quirk, figure, reported, right in found}


def test_os_of_one_full_fold() -> None:
    found = corrected(gemm_layer("g", 4, 3, 5), Config("g", 4, 3, 1, 1, 1, "os"))
    # Streams 5 words through 4 rows and 3 columns: the last product in cycle 4 + 3 + 2, then 4 rows leave.
    assert found == {
        ("last index", "Total Cycles"): (9, 10),
        ("last index", "Total Cycles (incl. prefetch)"): (14, 15),
        ("no drain", "Total Cycles"): (9, 13),
        ("ofmap fold bug", "SRAM OFMAP Writes"): (12 + 7, 12),
        (ALL, "MACs"): (60, 60),
        (ALL, "Total Cycles"): (9, 14),
        (ALL, "Overall Util %"): (6000 / (9 * 12), 6000 / (14 * 12)),
    }


def test_ws_with_edges_and_partial_sums() -> None:
    found = corrected(gemm_layer("g", 6, 5, 7), Config("g", 4, 3, 1, 1, 1, "ws"))
    # Rows hold 4 then 3 of K, columns 3 then 2 of N: loading r, streaming 6, and the skew of r rows and c columns.
    by_hand = sum(2 * r + c + 6 - 2 for r in (4, 3) for c in (3, 2))
    assert found["full edge folds", "Total Cycles"] == (4 * 15 - 1, by_hand - 1)
    assert found["unread partial sums", "SRAM OFMAP Reads"] == (0, 6 * 5)
    assert found[ALL, "Total Cycles"] == (59, by_hand)
    reported, right = found["double skew", "Compute Util %"]
    assert right * 15 == reported * (15 + 2)


def test_a_remainder_of_the_stride_makes_windows_outside() -> None:
    layer = Layer("c", 8, 7, 3, 3, 2, 5, 2)
    found = corrected(layer, Config("c", 4, 4, 1, 1, 1, "is"))
    assert layer.product.m == 4 * 3  # of which the last row leaves the input
    assert found["output size", "MACs"] == (12 * 18 * 5, 9 * 18 * 5)
    assert found["output size", "SRAM IFMAP Reads"] == (12 * 18, 9 * 18)
    assert found[ALL, "MACs"] == (12 * 18 * 5, 9 * 18 * 5)


def test_padding_batch_and_groups_take_part_in_what_is_put_right() -> None:
    layer = Layer("c", 6, 6, 3, 3, 4, 8, 1, padding=1, batch=3, groups=2)
    config = Config("c", 8, 8, 1, 1, 1, "ws")
    found = corrected(layer, config)
    assert found["unknown columns", "MACs"] == (16 * 36 * 8, 2 * (3 * 36) * 18 * 4)
    assert found[ALL, "MACs"] == (16 * 36 * 8, 2 * (3 * 36) * 18 * 4)
    one_group = gemm_layer("g", 3 * 36, 4, 18)
    assert found[ALL, "Total Cycles"][1] == 2 * true_cycles(one_group, config)


def test_a_name_that_only_happens_to_hold_dp_is_one_layer() -> None:
    """A pointwise layer of 16 channels on 4 x 4 pixels: sixteen of one channel take 1,408 cycles, the layer 208."""
    config = Config("c", 4, 4, 1, 1, 1, "os")
    whole = Layer("ENDPOINT", 4, 4, 1, 1, 16, 8, 1)
    parts = [replace(whole, name=f"{whole.name}Channel_{part}", channels=1) for part in range(16)]
    as_scale_sim_has_it = [corrected(part, config)[ALL, "Total Cycles"][1] for part in parts]
    assert sum(as_scale_sim_has_it) == 1408
    found = [corrected(replace(part, row=Row(whole, place)), config) for place, part in enumerate(parts)]
    assert [figures[ALL, "Total Cycles"][1] for figures in found] == [208] + [0] * 15
    assert sum(figures[ALL, "MACs"][1] for figures in found) == 16 * 16 * 8
    assert found[0]["DP in a name", "Total Cycles"][1] == 8 * (4 + 4 + 16 - 2) - 1  # SCALE-Sim's, under another name
    assert found[0][ALL, "Overall Util %"][1] == corrected(whole, config)[ALL, "Overall Util %"][1]
    assert (ALL, "Overall Util %") not in found[1]


def test_drain_lines_cut_short() -> None:
    # The first drain begins with the 513th word, alone in a line of eight: seven more are counted with it.
    layer, config = gemm_layer("g", 40, 40, 3), Config("g", 4, 8, 1, 1, 1, "os")
    reported, right = corrected(layer, config)["full drain lines", "DRAM OFMAP Writes"]
    assert right == 1600
    assert reported == 1607


@given(layers, arrays, dataflows)
def test_what_is_put_right_is_right(layer: Layer, array: tuple[int, int], dataflow: Dataflow) -> None:
    config = Config("law", *array, 1, 1, 1, dataflow)
    folds = Folds(layer.product, *array, dataflow)
    if folds.cycles == 1:
        return
    found = corrected(layer, config)
    assert {quirk for quirk, _ in found} <= set(QUIRKS)
    assert all(reported != right for (quirk, _), (reported, right) in found.items() if quirk != ALL)
    macs, cycles = found[ALL, "MACs"][1], found[ALL, "Total Cycles"][1]
    assert macs == layer.cropped.macs
    assert 0 < macs <= cycles * array[0] * array[1]  # no PE does two in a cycle
    written = sum(map(len, oracle.demand(layer, *array, dataflow).ofmap))
    if ("ofmap fold bug", "SRAM OFMAP Writes") in found:
        assert found["ofmap fold bug", "SRAM OFMAP Writes"][1] == written
    if ("full drain lines", "DRAM OFMAP Writes") in found:
        assert found["full drain lines", "DRAM OFMAP Writes"][1] == written
