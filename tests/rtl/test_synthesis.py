"""jaxgrad.rtl.synthesis: the area of a PE, by Yosys."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad import Accelerator
from jaxgrad.array import schedules
from jaxgrad.base.errors import InputError
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.machine import Machine, machine_of
from jaxgrad.rtl.synthesis import GATE_EQUIVALENTS, NAND_UM2, machine_area, pe_area

# NanGate 45 nm by its cells: the table of shared references, um2.
MAPPED = {("ws", False): 1166.9, ("os", False): 1241.7, ("interleaved", False): 1571.5, ("interleaved", True): 1966.0}


def machine(schedule: str, *, double_buffered: bool = False) -> Machine:
    return machine_of(schedules.find(schedule), Accelerator(2, 2, double_buffered), datapath("int8"))


@pytest.mark.parametrize(("schedule", "double_buffered"), MAPPED)
def test_gate_equivalents_come_near_what_a_library_gives(schedule: str, double_buffered: bool, yosys: str) -> None:
    area = pe_area(machine(schedule, double_buffered=double_buffered))
    assert area.gate_equivalents is not None
    assert area.um2 is None
    assert set(area.cells) <= set(GATE_EQUIVALENTS)
    assert area.gate_equivalents * NAND_UM2 == pytest.approx(MAPPED[schedule, double_buffered], rel=0.12)


def test_registers_are_those_of_the_pe(yosys: str) -> None:
    """w of 8 bits, h of 8 and v of 32."""
    assert pe_area(machine("ws")).cells["$_DFF_P_"] == 8 + 8 + 32


def test_a_library_that_is_not_there_is_one_line(yosys: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give a file that can be read"):
        pe_area(machine("ws"), tmp_path / "none.lib")


@pytest.mark.slow
def test_a_whole_array_is_its_parts(yosys: str) -> None:
    own = machine_of(schedules.find("ws"), Accelerator(1, 2), datapath("int4_int1"))
    area, pe = machine_area(own), pe_area(own)
    assert pe.gate_equivalents is not None
    assert area.parts["pe"] == pytest.approx(2 * pe.gate_equivalents, rel=0.02)
    assert set(area.parts) == {"pe", "edges", "controller", "ports_and_counters"}
    assert min(area.parts.values()) > 0
    assert area.psum_bits == 2 * 32 << 12
    assert area.as_dict() == {"gate_equivalents": area.parts, "psum_bits": area.psum_bits}


def test_an_array_of_many_lanes_is_refused() -> None:
    many = machine_of(schedules.find("ws"), Accelerator(64, 64), datapath("int8"))
    with pytest.raises(InputError, match="got an array of 64x64; give an array whose rows and columns are 32 together"):
        machine_area(many)


LIBRARY = """
library (small) {
  cell (INV) { area : 1; pin (A) { direction : input; } pin (Y) { direction : output; function : "A'"; } }
  cell (BUF) { area : 2; pin (A) { direction : input; } pin (Y) { direction : output; function : "A"; } }
  cell (NAND2) {
    area : 3;
    pin (A) { direction : input; }
    pin (B) { direction : input; }
    pin (Y) { direction : output; function : "(A*B)'"; }
  }
  cell (DFF) {
    area : 10;
    ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin (C) { direction : input; clock : true; }
    pin (D) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; }
  }
}
"""


def test_cells_of_a_library_by_its_own_areas(yosys: str, tmp_path: Path) -> None:
    library = tmp_path / "small.lib"
    library.write_text(LIBRARY)
    area = pe_area(machine("ws"), library)
    sizes = {"INV": 1, "BUF": 2, "NAND2": 3, "DFF": 10}
    assert area.cells["DFF"] == 48
    assert area.um2 == sum(sizes[name] * count for name, count in area.cells.items())
    assert area.gate_equivalents is None
