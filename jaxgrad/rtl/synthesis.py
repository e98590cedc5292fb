"""The area of a PE and of an array by Yosys: in gate equivalents by its own gates, or in um2 by the cells of a Liberty
file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base import external
from jaxgrad.base.errors import InputError
from jaxgrad.rtl import tools
from jaxgrad.rtl.machine import Machine
from jaxgrad.rtl.render import ADDRESS_BITS, FLOATS, render

GATE_EQUIVALENTS: Mapping[str, float] = {
    "$_NOT_": 0.67,
    "$_NAND_": 1.0,
    "$_NOR_": 1.0,
    "$_AND_": 1.33,
    "$_OR_": 1.33,
    "$_XOR_": 2.0,
    "$_XNOR_": 2.0,
    "$_MUX_": 2.33,
    "$_DFF_P_": 5.67,
}
"""Gates by the area of a NAND of two inputs, as the smallest cells of the NanGate 45 nm library have them."""

NAND_UM2 = 0.798
"""Of the NanGate 45 nm library."""

MOST_LANES = 32
"""Rows and columns of a machine that is synthesized whole: more take Yosys many minutes."""

_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("pe", *(name.removesuffix(".sv") for name in FLOATS)), "pe"),
    **dict.fromkeys(("skew", "delay"), "edges"),
    **dict.fromkeys(("controller", "walker"), "controller"),
    **dict.fromkeys(("machine", "systolic_array"), "ports_and_counters"),
}
"""Modules by what they are part of."""

_GATES = "NAND,NOR,AND,OR,XOR,XNOR,MUX"
_LIBERTY = "cells.lib"


class Area(NamedTuple):
    """What a PE takes.

    Args:
        cells: how many of each there are.
        gate_equivalents: in NANDs of two inputs; None by a Liberty file.
        um2: by a Liberty file; None without one.
    """

    cells: dict[str, int]
    gate_equivalents: float | None
    um2: float | None

    @property
    def in_um2(self) -> float:
        """By the Liberty file; without one, of NANDs of NanGate's 45 nm library."""
        return (self.gate_equivalents or 0.0) * NAND_UM2 if self.um2 is None else self.um2


class MachineArea(NamedTuple):
    """What a machine takes.

    Args:
        parts: all PEs (``pe``), delay lines of the ``edges``, the ``controller``, and ``ports_and_counters``; in gate
            equivalents, or in um2 by a Liberty file.
        psum_bits: bits of memory for partial sums.
        in_um2: whether there was a Liberty file.
    """

    parts: dict[str, float]
    psum_bits: int
    in_um2: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        unit = "um2" if self.in_um2 else "gate_equivalents"
        return {unit: self.parts, "psum_bits": self.psum_bits}


def version() -> str:
    """Which Yosys there is, such as ``Yosys 0.70``."""
    return " ".join(external.run([tools.yosys(), "-V"], Path()).split()[:2])


def pe_area(machine: Machine, liberty: Path | None = None) -> Area:
    """Synthesizes a machine's PE.

    Args:
        machine: whose.
        liberty: cells to map it to.

    Raises:
        InputError: Yosys is not there or fails, or the file can't be read.
    """
    files = render(machine, "")
    used = {name: files[name] for name in ("pe.sv", *FLOATS) if name in files}
    told = _stat(used, "pe", liberty, "synth -flatten -top pe")["design"]
    counts = {name: int(count) for name, count in told["num_cells_by_type"].items()}
    cells = {name: count for name, count in counts.items() if name != "$scopeinfo"}  # no gate: where names are from
    if liberty is not None:
        return Area(cells, None, float(told["area"]))
    return Area(cells, sum(GATE_EQUIVALENTS[name] * count for name, count in cells.items()), None)


def machine_area(machine: Machine, liberty: Path | None = None) -> MachineArea:
    """Synthesizes a whole machine, each module once and with its hierarchy; partial sums are memories, not gates.

    Args:
        machine: whose.
        liberty: cells to map it to.

    Raises:
        InputError: as ``pe_area``; or it has so many lanes that it would take long.
    """
    rows, cols = machine.array.rows, machine.array.cols
    if rows + cols > MOST_LANES:
        remedy = (
            f"give an array whose rows and columns are {MOST_LANES} together at most: PEs are alike, edges go by lanes"
        )
        raise InputError("--whole-array", f"{rows}x{cols}", remedy, problem=f"got an array of {rows}x{cols}")
    prepared = (
        "hierarchy -check -top machine",
        "blackbox *psum_buffer*",
        "synth -top machine",
    )
    modules = _stat(render(machine, ""), "machine", liberty, *prepared)["modules"]
    counts: Counter[str] = Counter()

    def visit(name: str) -> None:
        counts[name] += 1
        for inner, count in modules[name]["num_cells_by_type"].items():
            for key in {inner, f"\\{inner}"} & set(modules):
                for _ in range(int(count)):
                    visit(key)
            if "psum_buffer" in inner:
                counts["psum_buffer"] += int(count)

    visit("\\machine")
    sizes: dict[str, float] = dict.fromkeys(_PARTS.values(), 0.0)
    for name, count in counts.items():
        if name != "psum_buffer":
            sizes[_part(name)] += count * _own(name, modules, mapped=liberty is not None)
    bits = counts["psum_buffer"] * (machine.datapath.sum_bits << ADDRESS_BITS)
    return MachineArea({part: round(size, 1) for part, size in sizes.items()}, bits, liberty is not None)


def _part(name: str) -> str:
    """Of a module by Yosys' name for it, such as ``$paramod\\skew\\LANES=s32'...``."""
    return next(_PARTS[word] for word in name.split("\\") if word in _PARTS)


def _own(name: str, modules: Mapping[str, Any], *, mapped: bool) -> float:
    """What a module takes without those in it."""
    cells = modules[name]["num_cells_by_type"]
    if not mapped:
        return sum(GATE_EQUIVALENTS[cell] * int(count) for cell, count in cells.items() if cell.startswith("$_"))
    inner = ((modules.get(cell) or modules.get(f"\\{cell}"), int(count)) for cell, count in cells.items())
    return float(modules[name].get("area", 0)) - sum(float(module.get("area", 0)) * n for module, n in inner if module)


def _stat(files: Mapping[str, str], top: str, liberty: Path | None, *synthesis: str) -> dict[str, Any]:
    """What Yosys' ``stat`` says of files, synthesized by some commands."""
    command = tools.yosys()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)  # what Yosys reads is there: as WebAssembly it sees no other
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        if liberty is not None:
            try:
                shutil.copyfile(liberty, folder / _LIBERTY)
            except OSError as error:
                raise InputError("--liberty", liberty, f"give a file that can be read ({error.strerror})") from None
        script = _script(sorted(files), synthesis, mapped=liberty is not None)
        (folder / f"{top}.ys").write_text("\n".join(script) + "\n", encoding="ascii")
        external.run([command, "-q", "-s", f"{top}.ys"], folder)
        return json.loads((folder / "stat.json").read_text(encoding="utf-8"))


def _script(files: Sequence[str], synthesis: Sequence[str], *, mapped: bool) -> list[str]:
    if mapped:
        mapping = [f"dfflibmap -liberty {_LIBERTY}", f"abc -liberty {_LIBERTY}"]
    else:
        mapping = ["dfflegalize -cell $_DFF_P_ 01", f"abc -g {_GATES}"]
    area = f" -liberty {_LIBERTY}" if mapped else ""
    return [
        'logger -nowarn "Replacing memory"',  # an array of wires, such as what enters each PE
        f"read_verilog -sv {' '.join(files)}",
        *synthesis,
        *mapping,
        "opt_clean",
        f"tee -q -o stat.json stat -json{area}",
    ]
