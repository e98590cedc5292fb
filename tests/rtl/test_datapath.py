"""jaxgrad.rtl.datapath: number formats as wires; weights that are narrower than other operands."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array import schedules
from jaxgrad.quantization.weights import project
from jaxgrad.rtl.datapath import DATAPATHS, datapath
from jaxgrad.rtl.machine import Machine, machine_of
from jaxgrad.rtl.pe import pe_of
from jaxgrad.rtl.simulation import build, differences, draw, emulated
from jaxgrad.rtl.vectors import words
from jaxgrad.rtl.wiring import wire


def machine(schedule: str, name: str, *, double_buffered: bool = False) -> Machine:
    return machine_of(schedules.find(schedule), Accelerator(2, 3, double_buffered), datapath(name))


def test_a_weight_of_one_bit_is_a_sign_and_of_two_is_in_two_s_complement() -> None:
    for bits, codes in ((1, [0, 1, 0, 0]), (2, [0, 3, 0, 1])):
        weights = np.asarray(project(jnp.array([0.5, -1.0, 0.0, 2.5]), bits).codes)
        assert words(weights, datapath(f"int4_int{bits}"), "weight").tolist() == codes
    assert words(np.array([-1, 1, -8]), datapath("int4_int1")).tolist() == [15, 1, 8]


@pytest.mark.parametrize("name", DATAPATHS)
def test_operands_are_drawn_over_all_that_they_can_be(name: str) -> None:
    if datapath(name).is_float:
        return
    drawn = draw(datapath(name), Gemm(80, 80, 80), 0, 0.1)
    for tensor, values in drawn.items():
        bits = datapath(name).bits(datapath(name).kind_of({tensor}))
        wanted = [-1, 1] if bits == 1 else list(range(-(1 << (bits - 1)), 1 << (bits - 1)))
        assert np.unique(values).tolist() == wanted, tensor


@pytest.mark.parametrize(
    ("schedule", "ports"),
    [
        ("ws", {"h": "operand", "load": "weight"}),
        ("os", {"h": "operand", "v": "operand"}),
        ("interleaved", {"h": "operand", "v": "operand", "load": "weight"}),
        ("interleaved_n", {"h": "operand", "v": "weight", "load": "operand"}),
        ("interleaved_k", {"h": "weight", "v": "operand", "load": "operand"}),
        ("ws_only", {"h": "operand", "load": "operand"}),
        ("best", {"h": "operand", "v": "operand", "load": "operand"}),
    ],
)
def test_a_wire_is_as_wide_as_the_widest_operand_that_it_carries(schedule: str, ports: dict[str, str]) -> None:
    assert machine(schedule, "int4_int1").ports == ports
    assert set(machine(schedule, "int4").ports.values()) == {"operand"}


def test_registers_of_weights_are_narrow_where_nothing_else_stays_in_the_pe() -> None:
    kinds = {name: pe_of((own := machine(name, "int4_int1")).pass_(), own.links).kinds["w"] for name in ("ws", "best")}
    assert kinds == {"ws": "weight", "best": "operand"}


def test_slots_that_share_a_multiplier_widen_what_is_narrower() -> None:
    own = machine("interleaved", "int4_int1", double_buffered=True)
    wiring = wire(pe_of(own.pass_(), own.links), own.datapath)
    assert [(unit.left_kind, unit.right_kind) for unit in wiring.units] == [("operand", "operand"), ("sum", "sum")]
    (multiplicand,) = (driven for driven in wiring.driven if driven.wire == "multiplicand")
    assert multiplicand.by_slot == ("(first ? {{3{w_next}}, 1'b1} : {{3{w}}, 1'b1})", "v_operand")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "double_buffered", "name"),
    [("ws", True, "int4_int1"), ("interleaved_k", False, "int4_int1")],
)
def test_narrow_weights_run_as_the_emulator_does(
    schedule: str, double_buffered: bool, name: str, verilator: str, tmp_path: Path
) -> None:
    own = machine(schedule, name, double_buffered=double_buffered)
    simulation = build(own, tmp_path, schedule, 6)
    for sizes in ((1, 1, 1), (5, 4, 7)):
        tensors = draw(own.datapath, Gemm(*sizes), sizes[0], 0.2)
        for program in own.programs:
            assert differences(simulation.run(program, tensors), emulated(own, program, tensors)) == []
