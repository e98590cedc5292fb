"""jaxgrad.hardware.technology: what figures mean, and the presets' own."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.hardware import FORMATS, PRESETS, load_technology
from jaxgrad.hardware.technology import PE_KINDS
from tests.refusals import Refusal, assert_refused


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name: str) -> None:
    technology = load_technology(name)
    assert technology.name == name
    assert technology.source
    assert technology.assumptions
    assert set(dict(technology.mac_pj)) == set(FORMATS)
    assert {key[1:] for key, _ in technology.pe_um2} == set(itertools.product((False, True), PE_KINDS))
    assert hash(technology) == hash(load_technology(name))


def test_interpolation_passes_through_the_published_points() -> None:
    technology = load_technology("horowitz-45nm")
    for size, pj_for_64_bits in ((8192, 10), (32768, 20), (2**20, 100)):
        assert technology.sram_access_pj_per_bit(size) * 64 == pytest.approx(pj_for_64_bits)


@given(sizes=st.tuples(st.integers(1, 2**30), st.integers(0, 2**30)))
def test_a_larger_scratchpad_takes_no_less(sizes: tuple[int, int]) -> None:
    small, more = sizes
    for name in PRESETS:
        technology = load_technology(name)
        low, high = (technology.sram_access_pj_per_bit(size) for size in (small, small + more))
        assert 0 < low <= high * (1 + 1e-12)


def test_between_and_beyond_it_goes_as_a_power_of_the_size() -> None:
    technology = load_technology("horowitz-45nm")
    # 8 to 32 KB: four times the size takes twice as much, so the root of the size
    assert technology.sram_access_pj_per_bit(16384) * 64 == pytest.approx(10 * 2**0.5)
    assert technology.sram_access_pj_per_bit(2048) * 64 == pytest.approx(5)
    # 32 KB to 1 MB: five times as much for 32 times the size
    assert technology.sram_access_pj_per_bit(2**25) * 64 == pytest.approx(500)


def test_one_figure_holds_for_every_size() -> None:
    assert {load_technology("sasiml").sram_access_pj_per_bit(size) for size in (1, 110592, 2**30)} == {0.3375}


def test_a_datapath_without_an_area_is_told_where_to_get_one() -> None:
    technology = load_technology("sasiml")
    assert technology.pe_area_um2("bf16", double_buffered=True, kind="ws") == 2321.9
    refusal = Refusal(
        lambda: technology.pe_area_um2("fp32", double_buffered=True, kind="ws"), "precision", "'fp32'", "[[area.pe]]"
    )
    assert_refused(refusal)


# Bits that a multiplier sees: of a float its significand's, as the source's fp16 and fp32 have it.
FACTOR = {"int8": 8, "int4": 4, "int2": 2, "fp16": 11, "bf16": 11, "fp32": 24}
# pJ, as Horowitz prints them: a multiplication of the wider format with itself, and the addition.
MULTIPLY = {"int8": 0.2, "fp16": 1.1, "bf16": 1.1, "fp32": 3.7}


def by_rule(wider: str, other: str) -> float:
    """A MAC: a multiplication in proportion to the widths' product (none by 1 bit or by -1, 0, 1), and an addition."""
    addition = 0.9 if wider in ("fp16", "bf16", "fp32") else 0.1
    if {wider, other} & {"int1", "ternary"}:
        return addition
    known = wider if wider in MULTIPLY else "int8"
    return MULTIPLY[known] * FACTOR[wider] * FACTOR[other] / FACTOR[known] ** 2 + addition


def test_narrow_macs_are_what_their_rule_gives() -> None:
    technology = load_technology("horowitz-45nm")
    for name in ("int1", "ternary", "int2", "int4", "int8"):
        assert technology.product_pj((name, name)) == pytest.approx(by_rule(name, name))
    widths = ("int4", "int2", "ternary", "int1")
    pairs = [("int8", other) for other in widths]
    pairs += [(wider, other) for wider in ("fp16", "bf16", "fp32") for other in widths]
    pairs += [("int4", other) for other in widths[1:]] + [("int2", "int1"), ("ternary", "int1"), ("ternary", "int2")]
    assert {"_".join(pair) for pair in pairs} == set(dict(technology.mixed_mac_pj))
    for pair in pairs:
        assert technology.product_pj(pair) == pytest.approx(by_rule(*pair), abs=5e-4), pair
    # The rule between the two multipliers that the source has, 8 and 32 bits, is 3 % off.
    assert abs(3.1 / 0.2 / (32**2 / 8**2) - 1) < 0.04


def test_operands_without_a_mac_of_their_own_take_the_wider_one_s() -> None:
    for preset, wide in (("horowitz-45nm", 2.0), ("eyeriss-65nm", 1.0), ("sasiml", 0.9)):
        assert load_technology(preset).product_pj(("bf16", "int8")) == wide
    poor = replace(load_technology("sasiml"), mac_pj=(("int8", 0.9),))
    assert_refused(Refusal(lambda: poor.product_pj(("bf16", "int8")), "precision", "'bf16'", "int8"))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("double_buffered", [False, True])
def test_narrow_pes_are_what_their_rule_gives(preset: str, double_buffered: bool) -> None:
    technology = load_technology(preset)

    def um2(datapath: str, kind: str, *, double: bool = double_buffered) -> float:
        return technology.pe_area_um2(datapath, double_buffered=double, kind=kind)

    for of, bits in (("int8", 8), ("bf16", 16)):
        register = (um2(of, "os", double=True) - um2(of, "os", double=False)) / 32
        kept = register + double_buffered * (um2(of, "ws", double=True) - um2(of, "ws", double=False)) / bits
        for narrow in (4, 2, 1):
            datapath = f"int{narrow}" if of == "int8" else f"bf16_int{narrow}"
            share = 0 if narrow == 1 else narrow / 8 * (narrow / 8 if of == "int8" else 1)
            for kind in PE_KINDS:
                less = 282 * (1 - share)
                if of == "int8":
                    less += (8 - narrow) * ((kind != "os") * kept + ("transposable" not in kind) * register)
                elif kind == "interleaved":
                    less += (16 - narrow) * kept
                assert um2(datapath, kind) == pytest.approx(um2(of, kind) - less, abs=0.06), (datapath, kind)


def test_a_datapath_is_the_pair_s_where_it_has_an_area() -> None:
    technology = load_technology("horowitz-45nm")
    assert technology.datapath(("bf16", "int4")) == "bf16_int4"
    assert technology.datapath(("bf16", "int8")) == technology.datapath(("bf16", "bf16")) == "bf16"


@pytest.mark.parametrize("kind", ["ws_transposable", "interleaved_transposable"])
def test_a_file_without_estimates_is_asked_for_one_where_it_is_needed(kind: str) -> None:
    areas = ((("int8", False, "ws"), 1.0), (("int8", False, "os"), 2.0), (("int8", False, "interleaved"), 3.0))
    own = replace(load_technology("horowitz-45nm"), pe_um2=areas)
    assert own.pe_area_um2("int8", double_buffered=False, kind="ws") == 1.0
    call = partial(own.pe_area_um2, "int8", double_buffered=False, kind=kind)
    assert_refused(Refusal(call, "area.pe", f"no {kind}_um2", "give it for int8 with double_buffered = false"))
