"""jaxgrad.rtl.simulation: hardware, compiled by Verilator, beside the emulator: words, counters, every register."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array import schedules
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.machine import machine_of
from jaxgrad.rtl.simulation import Outcome, Simulation, build, compared, differences, draw, emulated, programs_of
from tests.rtl import planes

pytestmark = pytest.mark.slow
ADDRESS_BITS = 7


def built(
    folder: Path, schedule: str, rows: int, cols: int, *, double_buffered: bool, name: str = "int8"
) -> Simulation:
    machine = machine_of(schedules.find(schedule), Accelerator(rows, cols, double_buffered), datapath(name))
    return build(machine, folder, f"{schedule}, {rows}x{cols}", ADDRESS_BITS)


@pytest.mark.parametrize(
    ("rows", "cols", "double_buffered", "name"), [(3, 2, True, "int8"), (2, 3, False, "int4"), (1, 1, True, "bf16")]
)
def test_every_program_of_every_schedule(
    rows: int, cols: int, double_buffered: bool, name: str, verilator: str, tmp_path: Path
) -> None:
    """The machine of ``best`` has the slots and the programs of all; a GEMM of one, ragged tiles, many rows."""
    simulation = built(tmp_path, "best", rows, cols, double_buffered=double_buffered, name=name)
    machine = simulation.machine
    for sizes in ((1, 1, 1), (5, 4, 7), (9, 2, 3)):
        tensors = draw(machine.datapath, Gemm(*sizes), sizes[0], 0.2)
        for program in machine.programs:
            hardware = simulation.run(program, tensors)
            assert differences(hardware, emulated(machine, program, tensors)) == [], (sizes, str(program))


def test_a_gemm_by_a_choice_of_schedules(verilator: str, tmp_path: Path) -> None:
    simulation = built(tmp_path, "free", 2, 2, double_buffered=True)
    gemm = Gemm(3, 4, 5)
    found = compared(
        simulation, programs_of(simulation.machine, "free", gemm), draw(datapath("int8"), gemm, 0, 0.3), vcd=True
    )
    assert found.as_dict()["equal"]
    assert found.as_dict()["cycles"] == found.counters.as_dict()["cycles"] > 0
    waves = (tmp_path / "waves.vcd").read_text()
    assert all(f" {signal} " in waves or f" {signal}[" in waves for signal in ("w_next", "acc_next", "h_out", "v_out"))


@pytest.mark.parametrize(("double_buffered", "name"), [(False, "int4_int2"), (True, "bf16")])
def test_every_register_in_every_cycle(double_buffered: bool, name: str, verilator: str, tmp_path: Path) -> None:
    simulation = built(tmp_path, "interleaved", 3, 2, double_buffered=double_buffered, name=name)
    machine, (program,) = simulation.machine, simulation.machine.programs
    tensors = draw(machine.datapath, Gemm(4, 3, 5), 1, 0.1)
    simulation.run(program, tensors, planes=True)
    names, wanted = planes.of_engine(machine, program, tensors)
    found = planes.of_hardware(tmp_path / "planes.txt", names, machine)
    assert wanted.any(axis=(0, 2, 3)).all()
    assert planes.same(found, wanted)
    wanted[-2, 0, 0, 0] += 1
    assert not planes.same(found, wanted)


def test_differences_are_found() -> None:
    machine = machine_of(schedules.find("interleaved"), Accelerator(2, 2), datapath("bf16"))
    tensors = draw(machine.datapath, Gemm(2, 2, 2), 0, 0.0)
    ours = emulated(machine, machine.programs[0], tensors)
    assert differences(ours, ours) == []
    changed = {name: values.copy() for name, values in ours.results.items()}
    changed["dw"][0, 0] = -changed["dw"][0, 0]
    (found,) = differences(Outcome(changed, ours.counters + ours.counters), ours)[:1]
    assert (found.what, found.hardware) == ("dw", 1)
    assert {each.what for each in differences(Outcome(changed, ours.counters + ours.counters), ours)} > {
        "cycles",
        "macs",
    }
    both_nan = {name: np.full_like(values, np.nan) for name, values in ours.results.items()}
    assert differences(Outcome(both_nan, ours.counters), Outcome(both_nan, ours.counters)) == []
