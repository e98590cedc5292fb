"""A machine compiled by a simulator, and one GEMM after the other on it beside the register engine."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxgrad.array import choice, execute
from jaxgrad.array.counters import Counters
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import AXES
from jaxgrad.base.files import write_texts
from jaxgrad.rtl import simulators, vectors
from jaxgrad.rtl.datapath import Datapath
from jaxgrad.rtl.machine import Machine, Program
from jaxgrad.rtl.render import TESTBENCH, render
from jaxgrad.rtl.simulators import Simulator

TOP = TESTBENCH.removesuffix(".sv")


class Outcome(NamedTuple):
    """What a machine did with a GEMM.

    Args:
        results: its outputs by name, int32 or float32.
        counters: what it counted.
    """

    results: dict[str, NDArray[Any]]
    counters: Counters


class Difference(NamedTuple):
    """Something in which hardware and emulator differ.

    Args:
        what: the name of a result or of a counter.
        hardware, emulator: how many words differ, and 0; or the two counts.
    """

    what: str
    hardware: int
    emulator: int


class Compared(NamedTuple):
    """Hardware beside the emulator, on all programs that a GEMM takes.

    Args:
        counters: what the hardware counted.
        differences: where the two differ; none where all is well.
    """

    counters: Counters
    differences: list[Difference]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        counters = self.counters.as_dict()
        told = [each._asdict() for each in self.differences]
        return {"equal": not told, "cycles": counters["cycles"], "counters": counters, "differences": told}


class Simulation(NamedTuple):
    """A compiled machine.

    Args:
        machine: what it is.
        folder: where its files are.
        address_bits: of its testbench's memories.
        simulator: what compiled it.
    """

    machine: Machine
    folder: Path
    address_bits: int
    simulator: Simulator

    def run(
        self, program: Program, tensors: Dictionary[str, NDArray[Any]], *, vcd: bool = False, planes: bool = False
    ) -> Outcome:
        """Runs a program on operands by name, each with the axes of ``mapping.AXES``; numbers of the machine's format.

        Args:
            program: one of the machine's.
            tensors: the operands.
            vcd: whether ``waves.vcd`` is written, too.
            planes: whether ``planes.txt`` is: the registers of every PE as each cycle begins.
        """
        depth = 1 << self.address_bits
        sizes = sizes_of(tensors)
        vectors.write(self.folder, self.machine, program, tensors, depth)
        plus = [f"+program={self.machine.programs.index(program)}", "+folder=."]
        plus += [f"+{axis}={length}" for axis, length in sizes.items()]
        plus += [f"+{name}" for name, wanted in (("vcd", vcd), ("planes", planes)) if wanted]
        self.simulator.run(self.folder, plus)
        results = vectors.read(self.folder, self.machine, program, sizes, depth)
        return Outcome(results, execute.counters(vectors.events(self.folder, program), program.mapping))


def sizes_of(tensors: Dictionary[str, NDArray[Any]]) -> dict[str, int]:
    """Lengths of the axes b, k and n."""
    (b, k), n = tensors["x"].shape, tensors["w"].shape[1]
    return {"b": b, "k": k, "n": n}


def build(
    machine: Machine, folder: Path, title: str, address_bits: int, simulator: Simulator | None = None
) -> Simulation:
    """Writes a machine and its testbench, and compiles both; by the simulator that is installed where none is given.

    Raises:
        InputError: no simulator is there, or it fails.
    """
    chosen = simulator or simulators.found(TOP)
    files = render(machine, title, address_bits)
    write_texts(folder, files)
    chosen.compile(folder, sorted(files))
    return Simulation(machine, folder, address_bits, chosen)


def emulated(machine: Machine, program: Program, tensors: Dictionary[str, NDArray[Any]]) -> Outcome:
    """The same on the register engine."""
    number = jnp.float32 if machine.datapath.is_float else jnp.int32
    operands = {name: jnp.asarray(values, number) for name, values in tensors.items()}
    results, counters = execute.run(program.mapping, operands, machine.array, "register")
    return Outcome({name: np.asarray(values) for name, values in results.items()}, counters)


def differences(hardware: Outcome, emulator: Outcome) -> list[Difference]:
    """Where two outcomes differ: words bit for bit, but that any NaN is one, and every counter."""
    found: list[Difference] = []
    for name, values in emulator.results.items():
        other = hardware.results[name]
        same = (values == other) & (np.signbit(values) == np.signbit(other))
        if values.dtype.kind == "f":
            same |= np.isnan(values) & np.isnan(other)
        if not same.all():
            found.append(Difference(name, int((~same).sum()), 0))
    counted, ours = hardware.counters.as_dict(), emulator.counters.as_dict()
    return found + [Difference(name, counted[name], ours[name]) for name in ours if counted[name] != ours[name]]


def programs_of(machine: Machine, schedule: str, gemm: Gemm) -> list[Program]:
    """Those of a machine's programs that a schedule takes for a GEMM's gradients, in order."""
    by_mapping = {program.mapping: program for program in machine.programs}
    chosen = choice.backward_mappings(schedule, gemm, machine.array)
    return [by_mapping[each] for one in chosen for each in one.alone(shadows=machine.array.double_buffered)]


def draw(datapath: Datapath, gemm: Gemm, seed: int, zeros: float) -> dict[str, NDArray[Any]]:
    """Random operands of a format, some of them zero.

    >>> from jaxgrad.rtl.datapath import datapath
    >>> draw(datapath("int4"), Gemm(1, 2, 3), 0, 0.5)["w"].shape
    (2, 3)
    """
    rng = np.random.default_rng(seed)
    found: dict[str, NDArray[Any]] = {}
    for name in ("x", "w", "dy"):
        shape = tuple(gemm.sizes[axis] for axis in AXES[name])
        if datapath.is_float:
            words = rng.standard_normal(shape).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
            values = words.view(np.float32)
        else:
            kind = datapath.kind_of({name})
            half = 1 << (datapath.bits(kind) - 1)
            values = rng.integers(-half, half, shape, dtype=np.int32)
            if datapath.is_sign(kind):
                found[name] = 2 * values + 1
                continue
        found[name] = np.where(rng.random(shape) < zeros, values.dtype.type(0), values)
    return found


def compared(
    simulation: Simulation, programs: list[Program], tensors: Dictionary[str, NDArray[Any]], *, vcd: bool = False
) -> Compared:
    """Runs programs one after the other on the hardware and on the register engine; see ``Simulation.run``."""
    counters, found = Counters.zero(), list[Difference]()
    for program in programs:
        hardware = simulation.run(program, tensors, vcd=vcd)
        found += differences(hardware, emulated(simulation.machine, program, tensors))
        counters += hardware.counters
    return Compared(counters, found)
