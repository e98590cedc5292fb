"""``make cosimulation``: random machines in hardware beside the emulator: words, counters, all registers.

Machines are drawn so that all schedules, both bufferings and all formats come in turn, of random sizes, 1x1 arrays
among them. On each run some GEMMs, from 1x1x1 to several ragged tiles, by a program of the machine's; and each with
operands of several kinds: none, some or all of them zero, and, of floats, NaNs, infinities, zeros of either sign,
subnormals and numbers whose products or sums leave the range. A machine is compiled once.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from jaxgrad import Accelerator, Gemm
from jaxgrad.array import schedules
from jaxgrad.base.errors import InputError
from jaxgrad.rtl import simulation, simulators, vectors
from jaxgrad.rtl.datapath import DATAPATHS, Datapath
from jaxgrad.rtl.machine import Machine, Program, machine_of
from jaxgrad.rtl.simulation import Simulation
from tests.rtl import planes

GEMMS = 2
OPERANDS = 8
"""GEMMs a machine, and draws of operands for each."""

LONGEST = 8
"""Rows or columns of an array; most have fewer."""

_WATCHED = 9
"""PEs of an array whose registers are compared at most."""

_ZEROS = (0.0, 0.1, 0.5, 0.9, 1.0)
_SPECIAL = (0x7FC0, 0x7F80, 0xFF80, 0x8000, 0x0001, 0x807F, 0x0080, 0x7F7F, 0xFF7F, 0x5F00, 0xDF00, 0x2000, 0xA000)
"""Upper halves of float32 words: NaN, infinities, -0, subnormals, the ends of the range, and 2**63 and 2**-63, of which
products just stay in it and sums do not."""


class Drawn(NamedTuple):
    """A machine to compile, and what is run on it.

    Args:
        number: which of a seed's machines it is.
        schedule, double_buffered, name: of it; ``name`` is that of a format.
        rows, cols: of the array.
        gemms: which sizes run on it.
    """

    number: int
    schedule: str
    double_buffered: bool
    name: str
    rows: int
    cols: int
    gemms: tuple[Gemm, ...]

    def machine(self) -> Machine:
        array = Accelerator(self.rows, self.cols, self.double_buffered)
        return machine_of(schedules.find(self.schedule), array, DATAPATHS[self.name])

    def __str__(self) -> str:
        buffering = "double" if self.double_buffered else "single"
        return f"{self.schedule}, {buffering}-buffered, {self.name}, {self.rows}x{self.cols}"


class Found(NamedTuple):
    """What was compared on a machine.

    Args:
        cases, words, counters: how many.
        registers: words of registers and links, over PEs and cycles.
        failures: a line each.
    """

    cases: int = 0
    words: int = 0
    counters: int = 0
    registers: int = 0
    failures: tuple[str, ...] = ()

    def plus(self, other: Found) -> Found:
        numbers = (one + another for one, another in zip(self[:4], other[:4], strict=True))
        return Found(*numbers, failures=(*self.failures, *other.failures))


def machines(seed: int) -> Iterator[Drawn]:
    """Without end; all schedules, bufferings and formats before any comes again."""
    kinds = list(product(map(str, schedules.SCHEDULES), (False, True), DATAPATHS))
    number = 0
    while True:
        for schedule, double_buffered, name in Random(f"{seed} {number}").sample(kinds, len(kinds)):
            chance = Random(f"{seed} {number} {schedule}")
            longest = chance.choice((1, 3, 3, LONGEST))
            rows, cols = chance.randint(1, longest), chance.randint(1, longest)
            gemms = tuple(_gemm(chance, max(rows, cols)) for _ in range(GEMMS))
            yield Drawn(number, schedule, double_buffered, name, rows, cols, gemms)
            number += 1


def _gemm(chance: Random, side: int) -> Gemm:
    """Sizes of 1, of a tile or less, or of some tiles, of which the last one is ragged."""
    b, k, n = (chance.choice((1, chance.randint(1, side), chance.randint(1, 2 * side + 3))) for _ in range(3))
    return Gemm(b, k, n)


def operands(datapath: Datapath, gemm: Gemm, chance: Random) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Random ones; of floats, half of the draws have some special words."""
    drawn = simulation.draw(datapath, gemm, chance.randrange(1 << 32), chance.choice(_ZEROS))
    if datapath.is_float and chance.random() < 0.5:
        rng = np.random.default_rng(chance.randrange(1 << 32))
        share = chance.choice((0.02, 0.2, 1.0))
        for name, values in drawn.items():
            special = (rng.choice(np.array(_SPECIAL, np.uint32), values.shape) << np.uint32(16)).view(np.float32)
            drawn[name] = np.where(rng.random(values.shape) < share, special, values)
    return drawn


def tried(seed: int, simulator: str, drawn: Drawn) -> Found:
    """Compiles a machine, and compares all that is run on it."""
    jax.clear_caches()  # of the machine before: a process has only so many pages of code
    machine, found = drawn.machine(), Found()
    chance = Random(f"{seed} {drawn.number} programs")
    runs = [(gemm, program) for gemm in drawn.gemms for program in [chance.choice(machine.programs)]]
    address_bits = max(vectors.address_bits(machine, program, gemm.sizes) for gemm, program in runs)
    with tempfile.TemporaryDirectory() as name:
        try:
            chosen = simulators.SIMULATORS[simulator](simulation.TOP)
            built = simulation.build(machine, Path(name), str(drawn), address_bits, chosen)
        except InputError as error:
            return Found(failures=(f"{drawn}: {error}",))
        for index, (gemm, program) in enumerate(runs):
            # A machine has the slots of all its programs; those that one leaves out are none of its engine's.
            # A weight of one bit has no zero, which registers begin with.
            is_like = len(program.slots) == len(machine.dataflows) and machine.datapath.narrow_weight_bits != 1
            watched = index == 0 and drawn.rows * drawn.cols <= _WATCHED and is_like
            for turn in range(OPERANDS):
                tensors = operands(machine.datapath, gemm, chance)
                found = found.plus(compared(built, program, gemm, tensors, watched=watched and turn == 0))
    return found


def compared(simulated: Simulation, program: Program, gemm: Gemm, tensors: dict[str, Any], *, watched: bool) -> Found:
    """One case: all words, all counters, and where it is ``watched`` all registers in every cycle."""
    case = f"{program} of {'x'.join(map(str, gemm.sizes.values()))}"
    try:
        hardware = simulated.run(program, tensors, planes=watched)
        emulated = simulation.emulated(simulated.machine, program, tensors)
        differences = simulation.differences(hardware, emulated)
        registers, same = _registers(simulated, program, tensors) if watched else (0, True)
    except (InputError, ValueError) as error:  # it does not end well, or leaves what is no number
        return Found(1, failures=(f"{case}: {error}",))
    failures = [f"{case}: {each.what}: {each.hardware:,} and {each.emulator:,}" for each in differences]
    failures += [] if same else [f"{case}: registers differ in some cycle"]
    words = sum(values.size for values in emulated.results.values())
    return Found(1, words, len(emulated.counters.as_dict()), registers, tuple(failures))


def _registers(simulated: Simulation, program: Program, tensors: dict[str, Any]) -> tuple[int, bool]:
    machine = simulated.machine
    names, engine = planes.of_engine(machine, program, tensors)
    found = planes.of_hardware(simulated.folder / "planes.txt", names, machine)
    return engine[:-1].size, planes.same(found, engine)


def main(
    cases: Annotated[int, typer.Option(min=1, help="Cases at least.")] = 500,
    seed: Annotated[int, typer.Option(help="Which machines, GEMMs and operands are drawn.")] = 0,
    simulator: Annotated[str, typer.Option(help=f"One of {', '.join(simulators.SIMULATORS)}.")] = "verilator",
    machine: Annotated[int | None, typer.Option(min=0, help="Only the seed's machine of this number.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Machines at a time.")] = 2,
) -> None:
    """Compares hardware and emulator; ends with 1 where anything differs."""
    console = Console(width=max(100, Console().width))
    if simulator not in simulators.SIMULATORS:
        console.print(f"cosimulation: got {simulator!r}; give one of {', '.join(simulators.SIMULATORS)}", markup=False)
        raise typer.Exit(2)
    try:
        simulators.SIMULATORS[simulator](simulation.TOP)
    except InputError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(2) from None
    count = -(-cases // (GEMMS * OPERANDS)) if machine is None else machine + 1
    drawn = [each for each, _ in zip(machines(seed), range(count), strict=False)]
    if machine is not None:
        drawn = drawn[-1:]
    by_kind: dict[tuple[str, str, str], Found] = defaultdict(Found)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(partial(tried, seed, simulator), each): each for each in drawn}
        for number, done in enumerate(as_completed(waiting), start=1):
            of, found = waiting[done], done.result()
            console.print(f"{number}/{len(waiting)} machines: {of}: {found.cases} cases", markup=False, highlight=False)
            kind = (of.schedule, "double" if of.double_buffered else "single", of.name)
            by_kind[kind] = by_kind[kind].plus(found)
            again = f"python -m tests.cosimulation --seed {seed} --simulator {simulator} --machine {of.number}"
            for failure in found.failures:
                console.print(f"FAIL: {of}: {failure}", markup=False, soft_wrap=True)
            if found.failures:
                console.print(f"again: {again}", markup=False, soft_wrap=True)
    console.print(_table(by_kind, f"Hardware, by {simulator}, and the emulator's registers; seed {seed}"))
    raise typer.Exit(any(found.failures for found in by_kind.values()))


def _table(by_kind: dict[tuple[str, str, str], Found], title: str) -> Table:
    table = Table(title=title)
    for header in ("schedule", "buffering", "format", "cases", "words", "counters", "registers x cycles", "failures"):
        table.add_column(header, justify="left" if header in ("schedule", "buffering", "format") else "right")
    total = Found()
    for kind, found in sorted(by_kind.items()):
        table.add_row(*kind, *_numbers(found))
        total = total.plus(found)
    table.add_section()
    table.add_row("all", "", "", *_numbers(total))
    return table


def _numbers(found: Found) -> list[str]:
    return [f"{number:,}" for number in (*found[:4], len(found.failures))]


if __name__ == "__main__":
    typer.run(main)
