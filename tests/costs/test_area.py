"""jaxgrad.costs.area: the published figures, and arrays of equal area against trying every one."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array.schedules import SCHEDULES, Schedule, find
from jaxgrad.costs.area import area, iso_area, pe_um2
from jaxgrad.hardware import PRESETS, Accelerator, Level, Machine, Memory, PerOperand, Precision, load_technology
from jaxgrad.hardware.technology import PE_KINDS
from tests.refusals import Refusal, assert_refused

# technology.md, um2: (datapath, double-buffered) -> WS, OS, interleaved
PUBLISHED = {
    ("int8", False): (1166.9, 1241.7, 1571.5),
    ("int8", True): (1222.3, 1440.9, 1966.0),
    ("bf16", False): (2192.4, 2233.1, 2602.3),
    ("bf16", True): (2321.9, 2437.9, 2924.9),
}


def machine(
    rows: int,
    cols: int,
    operands: str = "int8",
    *,
    double_buffered: bool = False,
    cores: int = 1,
    preset: str = "sasiml",
) -> Machine:
    array = Accelerator(rows, cols, double_buffered)
    return Machine(array, Memory(1000, 10.0), Precision.of(operands), load_technology(preset), cores=cores)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("operands", "double_buffered"), PUBLISHED)
def test_published_pes(preset: str, operands: str, double_buffered: bool) -> None:
    own = machine(1, 1, operands, double_buffered=double_buffered, preset=preset)
    assert (
        tuple(pe_um2(own, name) for name in ("ws_only", "os_only", "interleaved"))
        == PUBLISHED[operands, double_buffered]
    )


def test_published_ratios() -> None:
    ratios = [round(interleaved / ws, 2) for ws, _, interleaved in PUBLISHED.values()]
    assert ratios == [1.35, 1.61, 1.19, 1.26]
    for (operands, buffered), ratio in zip(PUBLISHED, ratios, strict=True):
        own = machine(3, 3, operands, double_buffered=buffered)
        assert round(pe_um2(own, "interleaved") / pe_um2(own, "ws"), 2) == ratio


def test_the_pe_that_a_schedule_needs() -> None:
    """By what its passes keep: an operand, a result, or both; and whether sums leave on either link."""
    kinds = {name: find(name).pe_kind for name in SCHEDULES}
    both = dict.fromkeys(("sequential", "interleaved", "interleaved_n", "free", "auto"), "interleaved")
    either = {"interleaved_k": "ws_transposable", "best": "interleaved_transposable"}
    assert kinds == {"ws": "ws", "ws_only": "ws", "os": "os", "os_only": "os", **both, **either}
    any_interleaved = Schedule("any", among=("interleaved", "interleaved_k"))
    assert any_interleaved.pe_kind == "interleaved_transposable"
    assert set(kinds.values()) == set(PE_KINDS)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("operands", "double_buffered"), PUBLISHED)
def test_estimated_pes(preset: str, operands: str, double_buffered: bool) -> None:
    """From the synthesized ones, by registers and multiplexers (see the files): a weight-stationary PE and more."""
    width = {"int8": 8, "bf16": 16}[operands]
    of_sums = 32 * 1.862  # multiplexers of a sum, each a MUX2_X1
    accumulator = PUBLISHED[operands, True][1] - PUBLISHED[operands, False][1]
    ws_shadow, _, shadows = (
        (both - one) * double_buffered
        for both, one in zip(PUBLISHED[operands, True], PUBLISHED[operands, False], strict=True)
    )
    interleaved = PUBLISHED[operands, False][2]
    transposable = interleaved - accumulator * width / 32 + of_sums + ws_shadow
    growth = accumulator * (32 - width) / 32
    all_of_them = interleaved + growth + of_sums * (2 + width / 32) + shadows
    own = machine(1, 1, operands, double_buffered=double_buffered, preset=preset)
    any_interleaved = Schedule("any", among=("interleaved", "interleaved_k"))
    assert pe_um2(own, "interleaved_k") == pytest.approx(transposable, abs=0.1)
    assert pe_um2(own, any_interleaved) == pytest.approx(all_of_them, abs=0.1)
    assert PUBLISHED[operands, double_buffered][0] < transposable < all_of_them


def test_a_pe_multiplies_the_widest_pair_of_its_products() -> None:
    """Weights of 1 bit and activations of 4 with dY in bf16: a multiplier of 8 x 4 bits, and narrow kept operands."""
    wide = machine(4, 4, "bf16", double_buffered=True)
    narrow = replace(wide, precision=Precision(x="int4", w="int1", dy="bf16"))
    assert (pe_um2(narrow, "ws"), pe_um2(narrow, "os")) == (2180.9, 2296.9)
    assert pe_um2(narrow, "interleaved") == 2610.0
    assert pe_um2(replace(wide, precision=Precision(x="int8", w="int1", dy="bf16")), "ws") == pe_um2(wide, "ws")


def test_an_array_of_other_formats_in_the_same_area() -> None:
    wide = machine(128, 128, "bf16", double_buffered=True)
    narrow = Precision(x="int4", w="int1", dy="bf16")
    filled = iso_area(wide, "interleaved", "interleaved", precision=narrow)
    budget = 128 * 128 * 2924.9
    assert filled.pes_um2 == pytest.approx(filled.array.pes * 2610.0)
    assert filled.pes_um2 + filled.remainder_um2 == pytest.approx(budget)
    assert 0 <= filled.remainder_um2 < 2610.0 * 2 * 128
    assert iso_area(wide, "interleaved", "interleaved").array == wide.array


def test_area_by_hand() -> None:
    """8 PEs and 8000 bits at 0.55 um2, on each of two cores."""
    one, two = (area(machine(2, 4, cores=cores), "os_only") for cores in (1, 2))
    assert one.pes_um2 == pytest.approx(8 * 1241.7)
    assert one.sram_um2 == pytest.approx(8000 * 0.55)
    assert one.total_um2 == pytest.approx(8 * 1241.7 + 4400)
    assert (two.pes_um2, two.sram_um2) == pytest.approx((2 * one.pes_um2, 2 * one.sram_um2))


def test_area_of_a_divided_scratchpad() -> None:
    own = Machine(
        Accelerator(1, 1), Memory(PerOperand(1, 2, 3, 4, 5), 1.0), Precision.of("int8"), load_technology("sasiml")
    )
    assert area(own, "ws").sram_um2 == pytest.approx(15 * 8 * 0.55)


def test_area_of_levels() -> None:
    """Each core has its own, or its part of one."""
    levels = (Level("near", 2000, 1.0), Level("far", 9000, 1.0, shared_by=2))
    own = Machine(
        Accelerator(1, 1), Memory(1000, 1.0, levels=levels), Precision.of("int8"), load_technology("sasiml"), cores=4
    )
    found = area(own, "ws")
    assert found.levels_um2 == pytest.approx({"near": 8000 * 8 * 0.55, "far": 18000 * 8 * 0.55})
    assert found.total_um2 == pytest.approx(found.pes_um2 + (4000 + 8000 + 18000) * 8 * 0.55)


def arrays_of_equal_area(rows: int, cols: int, most: int) -> tuple[int, int]:
    """(PEs, rows) of the best by going through all of them: nearly of the shape if any is, else of the nearest."""
    shape = rows / cols
    every = [(r, c) for r in range(1, most + 1) for c in range(1, most // r + 1)]

    def distance(array: tuple[int, int]) -> float:
        return abs(math.log(array[0] / array[1] / shape))

    near = [array for array in every if distance(array) <= math.log(1.1)]
    best = max(near, key=lambda array: (array[0] * array[1], -distance(array)))
    return best[0] * best[1], best[0]


@settings(max_examples=60)
@given(
    side=st.integers(4, 24),
    wide=st.integers(0, 4),
    operands=st.sampled_from(["int8", "bf16"]),
    double_buffered=st.booleans(),
    names=st.sampled_from(list(itertools.permutations(["interleaved", "ws_only", "os_only"], 2))),
)
def test_iso_area(side: int, wide: int, operands: str, double_buffered: bool, names: tuple[str, str]) -> None:
    schedule, baseline = names
    own = machine(side, side + wide, operands, double_buffered=double_buffered)
    found = iso_area(own, schedule, baseline)
    each, budget = pe_um2(own, baseline), pe_um2(own, schedule) * own.array.pes
    assert found.pes_um2 == pytest.approx(found.array.pes * each)
    assert found.pes_um2 <= budget * (1 + 1e-12)
    assert found.remainder_um2 == pytest.approx(budget - found.pes_um2)
    assert found.array.double_buffered is double_buffered
    pes, _ = arrays_of_equal_area(side, side + wide, math.floor(budget / each))
    assert found.array.pes == pes


def test_iso_area_by_hand() -> None:
    """128x128 interleaved int8 PEs, double-buffered, take 1.608 times the area of as many WS ones: 26351 of these.

    The most near a square: 26351 = 13 * 2027, 26350 = 155 * 170, whose sides are within a tenth.
    """
    own = machine(128, 128, double_buffered=True)
    found = iso_area(own, "interleaved", "ws_only")
    assert math.floor(128 * 128 * 1966.0 / 1222.3) == 26352
    assert found.array.pes <= 26352
    assert found.array.pes >= 162 * 162
    assert abs(math.log(found.array.rows / found.array.cols)) <= math.log(1.1)


@pytest.mark.parametrize(("along", "expected"), [("rows", (161, 192)), ("cols", (128, 241))])
def test_iso_area_along_one_side_by_hand(along: str, expected: tuple[int, int]) -> None:
    """128x192 interleaved bf16 PEs take the area of 30958.6 WS ones: 161.2 rows, or 241.9 columns."""
    own = machine(128, 192, "bf16", double_buffered=True)
    found = iso_area(own, "interleaved", "ws_only", along=along)
    assert (found.array.rows, found.array.cols) == expected
    assert found.remainder_um2 == pytest.approx(128 * 192 * 2924.9 - math.prod(expected) * 2321.9)
    back = iso_area(replace(own, array=found.array), "ws_only", "interleaved", along=along)
    assert (back.array.rows, back.array.cols) == ((127, 192) if along == "rows" else (128, 191))


def test_its_own_pes_take_its_own_area() -> None:
    own = machine(12, 20)
    found = iso_area(own, "ws_only", "ws_only")
    assert (found.array.rows, found.array.cols) == (12, 20)
    assert found.remainder_um2 == pytest.approx(0, abs=1e-6)


def test_refusals() -> None:
    small = machine(1, 1)
    assert_refused(Refusal(lambda: iso_area(small, "ws_only", "interleaved"), "array", "1x1", "larger one"))
    one_row, one_column = machine(1, 9), machine(9, 1)
    for own, along, least in ((one_row, "rows", "row of 9 PEs"), (one_column, "cols", "column of 9 PEs")):
        assert_refused(Refusal(partial(iso_area, own, "ws", "os", along=along), "array", "9", least))
    assert_refused(Refusal(lambda: iso_area(small, "ws", "ws", along="sides"), "along", "'sides'", "both, rows, cols"))
    bare = Machine(Accelerator(1, 1))
    assert_refused(Refusal(lambda: area(bare, "ws"), "technology", "none", "area needs one"))
    assert_refused(Refusal(lambda: area(machine(1, 1, "fp32"), "ws"), "precision", "'fp32'", "add [[area.pe]]"))
