"""jaxgrad.rtl.simulation: hardware, compiled by Verilator, beside the emulator: words, counters, every register."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array import schedules
from jaxgrad.array.mapping import oriented
from jaxgrad.array.passes import overlapped
from jaxgrad.array.passes.base import Pass, Step, Wave
from jaxgrad.array.passes.combinators import planes, together
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.machine import Machine, Program, machine_of
from jaxgrad.rtl.simulation import Outcome, Simulation, build, compared, differences, draw, emulated, programs_of

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


@pytest.mark.parametrize("double_buffered", [False, True])
def test_every_register_in_every_cycle(double_buffered: bool, verilator: str, tmp_path: Path) -> None:
    simulation = built(tmp_path, "interleaved", 3, 2, double_buffered=double_buffered)
    (program,) = simulation.machine.programs
    tensors = draw(datapath("int8"), Gemm(4, 3, 5), 1, 0.1)
    simulation.run(program, tensors, planes=True)
    names, wanted = engine_planes(simulation.machine, program, tensors)
    found = hardware_planes(tmp_path / "planes.txt", names, wanted.shape[2:])
    assert wanted.any(axis=(0, 2, 3)).all()
    np.testing.assert_array_equal(found[1:], wanted[:-1])
    assert not found[0].any()


def engine_planes(machine: Machine, program: Program, tensors: dict[str, Any]) -> tuple[list[str], np.ndarray]:
    """Names, and ``[cycle, name, row, column]`` after each cycle: of the scan's own carry, seen as it goes."""
    mapping = program.mapping
    parts = [product.dataflow.new_pass() for product in mapping.products]
    inner = together(parts, shadows=machine.array.double_buffered)
    seen: list[dict[str, np.ndarray]] = []

    def tell(registers: Any, **links: jax.Array) -> None:
        def keep(planes: dict[str, Any]) -> None:
            seen.append({**(seen[-1] if seen else {}), **{name: np.asarray(plane) for name, plane in planes.items()}})

        jax.debug.callback(keep, {**planes(registers), **links}, ordered=True)

    def step(registers: Any, h: jax.Array, v: jax.Array, wave: Wave) -> Step:
        done = inner.step(registers, h, v, wave)
        tell(done.registers, h_out=h if done.h is None else done.h, v_out=done.v)
        return done

    def shift(registers: Any, slot: int, top: jax.Array, enable: Any) -> Any:
        moved, bottom = inner.shift(registers, slot, top, enable)
        tell(moved)
        return moved, bottom

    watched: Pass = inner._replace(step=step, shift=shift)
    name, axes = mapping.stream
    operands = {tensor: jnp.asarray(values, jnp.int32) for tensor, values in tensors.items()}
    others = tuple(oriented(operands[n], n, a) for n, a in map(mapping.operand, range(len(mapping.products))))
    sizes: Any = {"rows": machine.array.rows, "cols": machine.array.cols, "order": mapping.order}
    overlapped.run(
        watched, oriented(operands[name], name, axes), others, **sizes, shadows=machine.array.double_buffered
    )
    jax.effects_barrier()
    calls = mapping.keeps.count("result") + 1 + mapping.keeps.count("operand")
    names = [*sorted(planes(inner.init(1, 1, jnp.int32))), "h_out", "v_out"]
    ends = seen[calls - 1 :: calls]
    return names, np.array([[cycle[each] for each in names] for cycle in ends])


def hardware_planes(file: Path, names: list[str], shape: tuple[int, ...]) -> np.ndarray:
    """The same as each cycle begins, from what the testbench wrote: a line a PE, words as wide as they are."""
    rows = [line.split() for line in file.read_text().splitlines()]
    found = np.zeros((1 + max(int(row[0]) for row in rows), len(names), *shape), np.int64)
    for now, r, c, *words in rows:
        for index, word in enumerate(words):
            bits = 4 * len(word)
            value = int(word, 16)
            found[int(now), index, int(r), int(c)] = value - (1 << bits if value >> (bits - 1) else 0)
    return found


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
