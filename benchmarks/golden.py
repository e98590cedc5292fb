"""``python -m benchmarks.golden``: the golden model's speed beside that of hardware compiled by Verilator.

PE-cycles a second of one core's own time: register fidelity as a scan and by a kernel, on float32, and the same array
and schedule as RTL on int8, where Verilator is there. Medians, in one run.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figure import Figure, seconds
from benchmarks.registers import register_run

SIZES = (16, 64, 128, 256)
WANTED = {16: 4e9, 128: 10e9}
"""PE-cycles a second on a core."""

_STREAMED = {16: 64_000, 64: 8_000, 128: 4_000, 256: 1_000}
_BOUNDS = {
    "scan": "XLA's loop: 5 planes of registers move in every cycle",
    "kernel": "loads, up to 128x128: a product and a sum for 16 PEs, and a word of h, in a cycle of the core",
}


def emulated(choice: str, size: int, batch: int, *, double_buffered: bool, rounds: int) -> float:
    """PE-cycles a second of register fidelity, by ``scan`` or ``kernel``, on one tile."""
    import jax

    from jaxgrad.array.registers import VARIABLE

    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = choice
    jax.clear_caches()  # it is read as a program is traced
    try:
        run, pe_cycles = register_run(size, batch, 1, double_buffered=double_buffered)
        run()
        return pe_cycles / statistics.median(seconds(run, time.process_time) for _ in range(rounds))
    finally:
        jax.clear_caches()
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def simulated(size: int, batch: int, *, double_buffered: bool, rounds: int) -> float:
    """PE-cycles a second of the same array in hardware, by Verilator, on one tile."""
    from jaxgrad import Accelerator, Gemm, count
    from jaxgrad.array import schedules
    from jaxgrad.rtl import simulation, simulators
    from jaxgrad.rtl.datapath import datapath
    from jaxgrad.rtl.machine import machine_of

    array, gemm = Accelerator(size, size, double_buffered), Gemm(batch, size, size)
    machine = machine_of(schedules.find("interleaved"), array, datapath("int8"))
    with tempfile.TemporaryDirectory() as folder:
        bits = (max(batch, size) - 1).bit_length() + 1
        verilator = simulators.verilator(simulation.TOP, optimized=True)
        compiled = simulation.build(machine, Path(folder), "speed", bits, verilator)
        (program,) = simulation.programs_of(machine, "interleaved", gemm)
        tensors = simulation.draw(machine.datapath, gemm, 0, 0.0)
        spent = [seconds(lambda: compiled.run(program, tensors), _of_children) for _ in range(rounds)]
    return count(gemm, array, "interleaved").as_dict()["cycles"] * size * size / statistics.median(spent)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures() -> list[Figure]:
    """The kernel beside what is wanted of it, single- and double-buffered; none without a C++ compiler."""
    from jaxgrad.base import external

    measured: list[Figure] = []
    for size, target in WANTED.items() if external.cpp_compiler() else ():
        for double_buffered in (False, True):
            speed = emulated("kernel", size, _STREAMED[size], double_buffered=double_buffered, rounds=7)
            name = f"kernel {size}x{size}, interleaved, {_buffering(double_buffered)}"
            wanted = f">= {target / 1e9:g}"
            measured.append(Figure(name, speed / 1e9, "G PE-cycles/s", wanted, speed >= target, _BOUNDS["kernel"]))
    return measured


def _buffering(double_buffered: bool) -> str:
    return "double-buffered" if double_buffered else "single-buffered"


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, of which the median counts.")] = 7,
    hardware_up_to: Annotated[int, typer.Option(help="Largest array that Verilator compiles; 0 for none.")] = 64,
) -> None:
    """Measures the golden model, as a scan and by a kernel, and Verilator."""
    from jaxgrad.base import external

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    has_hardware = external.find("verilator-cli", "verilator") is not None
    table = Table(title="G PE-cycles/s on one core, interleaved", caption="Medians; ratios to the scan.")
    for header in ("array", "", "scan", "kernel", "ratio", "Verilator", "ratio"):
        table.add_column(header, justify="left" if header in ("array", "") else "right")
    for double_buffered in (False, True):
        for size in SIZES:
            streamed = _STREAMED[size]
            # Double-buffered the scan is some forty times as slow.
            scan = emulated(
                "scan",
                size,
                streamed // 16 if double_buffered else streamed,
                double_buffered=double_buffered,
                rounds=min(rounds, 3) if double_buffered else rounds,
            )
            kernel = emulated("kernel", size, streamed, double_buffered=double_buffered, rounds=rounds)
            row = [f"{size}x{size}", _buffering(double_buffered)]
            row += [f"{scan / 1e9:.3g}", f"{kernel / 1e9:.3g}", f"{kernel / scan:.3g}"]
            if has_hardware and size <= hardware_up_to:
                rtl = simulated(size, min(streamed, 16_000), double_buffered=double_buffered, rounds=min(rounds, 3))
                row += [f"{rtl / 1e9:.3g}", f"{rtl / scan:.3g}"]
            table.add_row(*row, *[""] * (7 - len(row)))
            print(*row, file=sys.stderr)  # the whole takes minutes
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
