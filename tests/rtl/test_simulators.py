"""jaxgrad.rtl.simulators: which one is taken, and that Icarus Verilog runs what Verilator does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array import schedules
from jaxgrad.base import external
from jaxgrad.base.errors import InputError
from jaxgrad.rtl import simulators, tools
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.machine import machine_of
from jaxgrad.rtl.simulation import TOP, build, differences, draw, emulated
from tests.rtl import planes
from tests.rtl.hardware_tools import installed


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: name if name in names else None)


def test_icarus_where_verilator_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "iverilog", "vvp")
    assert simulators.found(TOP).name == "Icarus Verilog"
    only(monkeypatch, "iverilog")
    with pytest.raises(InputError, match=r"found no C\+\+ compiler"):
        simulators.found(TOP)


@pytest.mark.parametrize(("said", "is_right"), [("Verilator 4.038 2020", False), ("Verilator 5.006 2023", True)])
def test_an_old_verilator_is_one_line(said: str, is_right: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "g++", "verilator")
    monkeypatch.setattr(external, "run", lambda *_: said)
    if is_right:
        assert tools.verilator() == "verilator"
        return
    with pytest.raises(InputError, match=r"verilator is Verilator 4.038, too old; .* 5.006 or newer, or iverilog"):
        tools.verilator()


@pytest.mark.parametrize("name", ["int8", "bf16"])
def test_icarus_has_the_words_counters_and_registers_of_the_emulator(name: str, tmp_path: Path) -> None:
    installed(lambda: tools.icarus()[0])
    machine = machine_of(schedules.find("interleaved"), Accelerator(2, 3, True), datapath(name))
    simulation = build(machine, tmp_path, "interleaved", 6, simulators.icarus(TOP))
    (program,), tensors = machine.programs, draw(machine.datapath, Gemm(3, 4, 5), 0, 0.2)
    hardware = simulation.run(program, tensors, planes=True)
    assert differences(hardware, emulated(machine, program, tensors)) == []
    names, engine = planes.of_engine(machine, program, tensors)
    assert planes.same(planes.of_hardware(tmp_path / "planes.txt", names, machine), engine)
