"""jaxgrad.costs.energy: a tiny layer by hand, component by component, on each preset."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaxgrad import Emulation, Gemm, LayerGemm, count
from jaxgrad.array.counts import ACC_UPDATES, CYCLES, EFFECTUAL_MACS, STALLS, Key
from jaxgrad.costs import energy, step_cost, summary
from jaxgrad.hardware import (
    PRESETS,
    Accelerator,
    Level,
    Machine,
    Memory,
    PerOperand,
    Precision,
    VectorUnit,
    load_technology,
)
from jaxgrad.hardware.precision import TENSORS
from tests.keys import keyed
from tests.refusals import Refusal, assert_refused

BITS = {"x": 16, "w": 16, "y": 16, "dy": 16, "dx": 16, "dw": 32, "psum": 32}  # of bf16 with sums in fp32
ARRAY = Accelerator(4, 4)


def machine(preset: str, operands: str = "bf16", sram: int | PerOperand = 32768) -> Machine:
    return Machine(ARRAY, Memory(sram, 10.0), Precision.of(operands), load_technology(preset), VectorUnit(4))


# Gemm(8, 9, 10) interleaved on 4x4, as tests/array/test_closed_form.py has it by hand, and some DRAM traffic.
COUNTS = keyed(
    {
        "cycles": 270,
        "macs": 1440,
        "effectual_macs": 700,
        "w_reads": 90,
        "w_writes": 0,
        "x_reads": 216,
        "dy_reads": 240,
        "psum_reads": 144,
        "psum_writes": 216,
        "dw_reads": 0,
        "dw_writes": 90,
        "dy_hops": 960,
        "x_hops": 864,
        "psum_hops": 864,
        "acc_updates": 720,
        "stall_cycles": 30,
        "dram_w_reads": 90,
        "dram_x_reads": 72,
        "dram_dy_reads": 80,
        "dram_dx_writes": 72,
        "dram_dw_writes": 90,
        "dram_psum_reads": 10,
        "dram_psum_writes": 20,
        "vector_operations": 50,
        "vector_words": 6,
        "dram_vector_words": 40,
    }
)
# bf16 operands of 16 bits, sums and dW of 32
HOP_BITS = 16 * (960 + 864) + 32 * 864
ARRAY_SRAM_BITS = 16 * (90 + 216 + 240) + 32 * (144 + 216 + 90)
DRAM_BITS = 16 * (90 + 72 + 80 + 72) + 32 * (90 + 30)
REGISTER_BITS = 720 * 16 + 2 * 720 * 32


def test_the_counts_are_the_core_s() -> None:
    own = count(Gemm(8, 9, 10), ARRAY, "interleaved").counts()
    assert own == {key: COUNTS[key] for key in own} | {EFFECTUAL_MACS: 1440}


@pytest.mark.parametrize(
    ("preset", "mac", "register", "hop", "sram", "dram", "vector"),
    [
        # per MAC; then per bit: register, hop, SRAM of 32 KB, DRAM; an operation of the vector unit
        ("horowitz-45nm", 1.1 + 0.9, 0.006, 0.012, 20 / 64, 640 / 32, 0.9),
        ("eyeriss-65nm", 1.0, 1 / 16, 2 / 16, 6 / 16, 200 / 16, 1.0),
        ("sasiml", 0.9, 0.9 / 16, 1.8 / 16, 5.4 / 16, 180 / 16, 0.9),
    ],
)
def test_a_tiny_layer_by_hand(
    preset: str, mac: float, register: float, hop: float, sram: float, dram: float, vector: float
) -> None:
    spent = energy.energy_pj(COUNTS, energy.table(machine(preset)))
    assert spent == pytest.approx(
        {
            "mac": 1440 * mac,
            "register": REGISTER_BITS * register,
            "hop": HOP_BITS * hop,
            # what DRAM delivers is written into the scratchpad, what it takes is read from there
            "sram": (ARRAY_SRAM_BITS + DRAM_BITS) * sram,
            "dram": DRAM_BITS * dram,
            "idle": 0.0,
            "leakage": 0.0,
            "vector": 50 * vector + 16 * 6 * sram + 16 * 40 * (sram + dram),
        }
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_published_figures(preset: str) -> None:
    """pJ as the sources print them."""
    prices = energy.table(machine(preset, "int8", sram=8192))
    if preset == "horowitz-45nm":
        assert prices["mac"]["compute"] == pytest.approx(0.2 + 0.1)
        assert prices["sram"]["w"] * 8 == pytest.approx(10)  # 64 bits of 8 KB
        assert energy.table(machine(preset, "fp32", 32768))["sram"]["w"] * 2 == pytest.approx(20)
        assert energy.table(machine(preset, "fp32", 2**20))["sram"]["w"] * 2 == pytest.approx(100)
        assert energy.table(machine(preset, "fp32"))["dram"]["w"] == pytest.approx(640)
        assert energy.table(machine(preset, "fp32"))["mac"]["compute"] == pytest.approx(3.7 + 0.9)
        assert energy.table(machine(preset, "fp16"))["mac"]["compute"] == pytest.approx(1.1 + 0.9)
        assert energy.table(machine(preset, "int32"))["mac"]["compute"] == pytest.approx(3.1 + 0.1)
    else:
        wide = energy.table(machine(preset, "int16"))
        figures = {"eyeriss-65nm": (1.0, 1.0, 2.0, 6.0, 200.0), "sasiml": (0.9, 0.9, 1.8, 5.4, 180.0)}[preset]
        found = (
            wide["mac"]["compute"],
            wide["register"]["weight"],
            wide["hop"]["x"],
            wide["sram"]["x"],
            wide["dram"]["x"],
        )
        assert found == pytest.approx(figures)


def test_zero_gating_spares_macs_and_nothing_else() -> None:
    prices = energy.table(machine("horowitz-45nm"))
    plain, gated = (energy.energy_pj(COUNTS, prices, zero_gating=gating) for gating in (False, True))
    assert gated == pytest.approx(plain | {"mac": 700 * 2.0})


def test_idle_and_leakage_go_by_time_stalls_included() -> None:
    technology = replace(load_technology("sasiml"), idle_pj_per_pe_cycle=0.5, sram_leakage_pj_per_byte_cycle=0.001)
    sram = PerOperand(1000, 2000, 3000, 4000, 5000)
    for cores in (1, 3):
        own = Machine(ARRAY, Memory(sram, 10.0), Precision.of("bf16"), technology, cores=cores)
        spent = energy.energy_pj(COUNTS, energy.table(own))
        assert spent["idle"] == pytest.approx(300 * 0.5 * 16 * cores)
        assert spent["leakage"] == pytest.approx(300 * 0.001 * 15000 * cores)


def test_block_formats_have_fractional_widths() -> None:
    """32 numbers of 4 bits share 8: 4.25 bits each; sums and dW stay in fp32."""
    technology = load_technology("eyeriss-65nm")
    prices = energy.table(machine("eyeriss-65nm", "mxfp4"))
    assert prices["hop"] == pytest.approx({"x": 4.25 * 2 / 16, "dy": 4.25 * 2 / 16, "psum": 4.0})
    assert prices["register"] == pytest.approx({"weight": 4.25 / 16, "accumulator": 2.0})
    assert prices["dram"]["w"] == pytest.approx(4.25 * technology.dram_pj_per_bit)
    assert prices["dram"]["dw"] == pytest.approx(400)


def test_a_divided_scratchpad_costs_by_the_part() -> None:
    sram = PerOperand(x=8192, w=32768, dy=2**20, dx=8192, dw=32768)
    prices = energy.table(machine("horowitz-45nm", "bf16", sram))["sram"]
    bits = {"x": 10 / 64, "w": 20 / 64, "dy": 100 / 64, "dx": 10 / 64, "dw": 20 / 64, "y": 10 / 64, "psum": 20 / 64}
    widths = {"dw": 32, "psum": 32}
    assert prices == pytest.approx({name: pj * widths.get(name, 16) for name, pj in bits.items()})


def test_a_level_takes_what_goes_in_and_out_of_it_on_both_sides() -> None:
    """By hand: 10 of X come from DRAM into the buffer, which gives them on three times; W passes it by, 7 words."""
    level = Level("buffer", 2**20, 8.0)
    own = replace(machine("horowitz-45nm", "bf16", 8192), memory=Memory(8192, 10.0, levels=(level,)))
    prices = energy.table(own)
    assert prices["buffer"] == pytest.approx({name: 100 / 64 * bits for name, bits in BITS.items()})
    moved = {Key("dram", "x", "reads"): 10, Key("buffer", "x", "fills"): 10, Key("buffer", "x", "reads"): 30}
    moved |= {Key("dram", "w", "reads"): 7, Key("buffer", "psum", "writes"): 3, Key("buffer", "psum", "write_backs"): 3}
    moved |= {Key("dram", "psum", "writes"): 3, Key("sram", "x", "reads"): 1000}
    spent = energy.energy_pj(dict.fromkeys(COUNTS, 0) | moved, prices)
    assert spent["buffer"] == pytest.approx(40 * 25 + 6 * 50)
    assert spent["dram"] == pytest.approx((10 + 7) * 320 + 3 * 640)
    assert spent["sram"] == pytest.approx((1000 + 30 + 7) * prices["sram"]["x"] + 3 * prices["sram"]["psum"])
    cheap = replace(own, memory=Memory(8192, 10.0, levels=(replace(level, pj_per_bit=0.25),)))
    assert energy.table(cheap)["buffer"] == pytest.approx({name: bits / 4 for name, bits in BITS.items()})


def test_all_cores_share_the_leakage_of_levels() -> None:
    levels = (Level("near", 1000, 8.0), Level("far", 9000, 8.0, shared_by=2))
    technology = replace(load_technology("horowitz-45nm"), sram_leakage_pj_per_byte_cycle=1.0)
    own = Machine(ARRAY, Memory(1000, 10.0, levels=levels), Precision.of("bf16"), technology, cores=4)
    assert energy.table(own)["leakage"] == {"cycle": 4 * 1000 + 4 * 1000 + 2 * 9000}


def test_mixed_precision_multiplies_in_the_widest() -> None:
    mixed = Precision(x="bf16", w="int8", dy="fp32", dw="fp32", accumulator="fp32")
    own = Machine(ARRAY, Memory(32768, 10.0), mixed, load_technology("horowitz-45nm"))
    prices = energy.table(own)
    assert prices["mac"]["compute"] == pytest.approx(4.6)
    assert prices["dram"] == pytest.approx({"x": 320, "w": 160, "y": 320, "dy": 640, "dx": 640, "dw": 640, "psum": 640})


def test_every_count_of_movement_has_a_price() -> None:
    """Each name alone, as often as 1000 times, makes some component dearer; and none is charged twice in one."""
    prices = energy.table(machine("horowitz-45nm"))
    nothing = dict.fromkeys(COUNTS, 0)
    free = {EFFECTUAL_MACS, CYCLES, STALLS, ACC_UPDATES}
    for key in set(COUNTS) - free:
        spent = energy.energy_pj(nothing | {key: 1000}, prices)
        assert sum(spent.values()) > 0, key
    assert set(prices) == set(energy.COMPONENTS) == set(energy.ACTIONS)
    assert all(set(prices[part]) == set(energy.ACTIONS[part]) for part in energy.ACTIONS)


# Weights of 1 bit and activations of 4 in training: an addition forward, bf16's own signs flipped for dX, and a
# multiplication by 4 of the 11 bits of a significand for dW.
NARROW = Precision(x="int4", w="int1", dy="bf16")
PRODUCTS_PJ = {"forward": 0.1, "dx": 0.9, "dw": 1.1 * 4 / 11 + 0.9}


def narrow() -> Machine:
    return replace(machine("horowitz-45nm"), precision=NARROW)


def test_each_product_s_macs_take_what_their_operands_need() -> None:
    prices = energy.table(narrow())
    assert prices["mac"] == pytest.approx(PRODUCTS_PJ | {"compute": 2.0})
    both = (PRODUCTS_PJ["dx"] + PRODUCTS_PJ["dw"]) / 2
    for phase, pj in {**PRODUCTS_PJ, "dx+dw": both, "backward": both, None: 2.0}.items():
        assert energy.energy_pj(COUNTS, prices, phase=phase)["mac"] == pytest.approx(1440 * pj), phase
    assert energy.table(machine("eyeriss-65nm"))["mac"] == {"compute": 1.0}


def test_narrow_operands_move_as_many_bits_as_they_have() -> None:
    prices = energy.table(narrow())
    bits = {"w": 1, "x": 4, "dy": 16, "y": 4, "dx": 16, "psum": 32, "dw": 32}
    assert prices["dram"] == pytest.approx({name: 20 * bits[name] for name in TENSORS})
    assert prices["register"] == pytest.approx({"weight": 0.006, "accumulator": 0.006 * 32})
    assert prices["hop"] == pytest.approx({name: 0.012 * bits[name] for name in ("x", "dy", "psum")})


def test_a_step_is_priced_phase_by_phase() -> None:
    layer = LayerGemm("dense", Gemm(8, 9, 10), 1, needs_dx=True)
    own = narrow()
    cost = step_cost([layer], Emulation(own.array), ["interleaved", "sequential"], machine=own)
    for schedule in cost.schedules:
        macs = {phase.name: spent["mac"] for phase, spent in cost.energy_pj(schedule).items()}
        assert macs["forward"] == pytest.approx(720 * 0.1)
        assert sum(macs.values()) == pytest.approx(720 * sum(PRODUCTS_PJ.values()))
        shown = {part.phase.name: part.energy_pj["mac"] for part in summary(cost, schedule).phases}
        assert shown == macs


def test_more_bits_take_more() -> None:
    spent = [
        sum(energy.energy_pj(COUNTS, energy.table(machine("horowitz-45nm", operands))).values())
        for operands in ("int8", "bf16", "fp32")
    ]
    assert spent == sorted(spent)
    assert len(set(spent)) == 3


def test_refusals() -> None:
    bare = Machine(ARRAY, Memory(1000, 1.0))
    assert_refused(Refusal(lambda: energy.table(bare), "technology", "none", "a memory"))
    poor = replace(load_technology("sasiml"), mac_pj=(("int8", 0.9), ("bf16", 1.0)))
    own = Machine(ARRAY, Memory(1000, 1.0), Precision.of("fp16"), poor)
    assert_refused(Refusal(lambda: energy.table(own), "precision", "'fp16'", "int8, bf16"))
