"""The area of a PE by Yosys: in gate equivalents by its own gates, or in um2 by the cells of a Liberty file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.rtl import tools
from jaxgrad.rtl.machine import Machine
from jaxgrad.rtl.render import render

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


def version() -> str:
    """Which Yosys there is, such as ``Yosys 0.70``."""
    return " ".join(tools.run([tools.yosys(), "-V"], Path()).split()[:2])


def pe_area(machine: Machine, liberty: Path | None = None) -> Area:
    """Synthesizes a machine's PE.

    Args:
        machine: whose.
        liberty: cells to map it to.

    Raises:
        InputError: Yosys is not there or fails, or the file can't be read.
    """
    command = tools.yosys()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)  # what Yosys reads is there: as WebAssembly it sees no other
        files = render(machine, "")
        used = [file for file in files if file in ("pe.sv", "bf16_multiply.sv", "fp32_add.sv")]
        for file in used:
            (folder / file).write_text(files[file], encoding="utf-8")
        if liberty is not None:
            try:
                shutil.copyfile(liberty, folder / _LIBERTY)
            except OSError as error:
                raise InputError("--liberty", liberty, f"give a file that can be read ({error.strerror})") from None
        (folder / "pe.ys").write_text("\n".join(_script(used, mapped=liberty is not None)) + "\n", encoding="ascii")
        tools.run([command, "-q", "-s", "pe.ys"], folder)
        told = json.loads((folder / "stat.json").read_text(encoding="utf-8"))["design"]
    counts = {name: int(count) for name, count in told["num_cells_by_type"].items()}
    cells = {name: count for name, count in counts.items() if name != "$scopeinfo"}  # no gate: where names are from
    if liberty is not None:
        return Area(cells, None, float(told["area"]))
    return Area(cells, sum(GATE_EQUIVALENTS[name] * count for name, count in cells.items()), None)


def _script(files: list[str], *, mapped: bool) -> list[str]:
    if mapped:
        mapping = [f"dfflibmap -liberty {_LIBERTY}", f"abc -liberty {_LIBERTY}"]
    else:
        mapping = ["dfflegalize -cell $_DFF_P_ 01", f"abc -g {_GATES}"]
    area = f" -liberty {_LIBERTY}" if mapped else ""
    return [
        f"read_verilog -sv {' '.join(files)}",
        "synth -flatten -top pe",
        *mapping,
        "opt_clean",
        f"tee -q -o stat.json stat -json{area}",
    ]
