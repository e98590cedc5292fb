"""jaxgrad.rtl.machine: the slots and programs of a schedule's hardware; jaxgrad.rtl.render: its files."""

from __future__ import annotations

import pytest

from jaxgrad import Accelerator
from jaxgrad.array import schedules
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.machine import Machine, machine_of
from jaxgrad.rtl.render import render

ALL = [str(name) for name in schedules.SCHEDULES]


def of(schedule: str, rows: int = 2, cols: int = 3, *, double_buffered: bool = True, name: str = "int8") -> Machine:
    return machine_of(schedules.find(schedule), Accelerator(rows, cols, double_buffered), datapath(name))


@pytest.mark.parametrize(
    ("schedule", "keeps", "programs"),
    [
        ("ws", ("operand",), 1),
        ("interleaved", ("operand", "result"), 1),
        ("interleaved_n", ("result", "operand"), 1),
        ("interleaved_k", ("operand", "nothing"), 1),
        ("free", ("operand", "result"), 8),
        ("best", ("result", "operand", "nothing"), 12),
    ],
)
def test_slots_and_programs(schedule: str, keeps: tuple[str, ...], programs: int) -> None:
    machine = of(schedule)
    assert machine.keeps == keeps
    assert len(machine.programs) == programs
    for program in machine.programs:
        assert [machine.dataflows[slot] for slot in program.slots] == [
            product.dataflow for product in program.mapping.products
        ]


def test_single_buffered_slots_in_turn_are_programs_of_their_own() -> None:
    assert [len(program.slots) for program in of("sequential", double_buffered=False).programs] == [1, 1]
    assert [len(program.slots) for program in of("sequential").programs] == [2]


@pytest.mark.parametrize("name", ["int8", "bf16"])
@pytest.mark.parametrize("schedule", ALL)
def test_files_have_one_module_each_named_as_they_are(schedule: str, name: str) -> None:
    files = render(of(schedule, name=name), "title")
    for file, text in files.items():
        assert [line.split()[1] for line in text.splitlines() if line.startswith("module ")] == [file[:-3]]
    assert ("fp32_add.sv" in files) == (name == "bf16")


def test_a_machine_is_written_the_same_each_time() -> None:
    assert render(of("best"), "title") == render(of("best"), "title")
    assert render(of("best"), "title", 6)["testbench.sv"] == render(of("best"), "title", 6)["testbench.sv"]
    assert render(of("ws", 2, 2), "t")["systolic_array.sv"] != render(of("ws", 2, 3), "t")["systolic_array.sv"]
