"""``jaxgrad rtl``: an array as synthesizable SystemVerilog, simulated beside the emulator."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices
from jaxgrad.cli.errors import CHECK_FAILED
from jaxgrad.cli.options import ARRAY, NATURAL, OUTPUT, Choice, file, given, option, path
from jaxgrad.cli.shared_options import (
    COLS,
    DOUBLE_BUFFERED,
    GEMM_BATCH,
    IN_FEATURES,
    JSON,
    OUT_FEATURES,
    ROWS,
    SCHEDULE,
)

if TYPE_CHECKING:
    from rich.console import Console

    from jaxgrad.array.counters import Counters
    from jaxgrad.array.gemm import Gemm
    from jaxgrad.rtl.simulation import Difference

_ZEROS = 0.3
"""Of the operands, as a ReLU leaves some."""


def rtl(
    context: typer.Context,
    rows: Annotated[int, ROWS] = 8,
    cols: Annotated[int, COLS] = 8,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = False,
    schedule: Annotated[str, SCHEDULE] = "interleaved",
    formats: Annotated[
        list[str] | None,
        option(
            "--format",
            "NAME",
            "Of operands: int8, int4, with narrow weights int4_int2, int4_int1 (sums in int32); bf16 (sums in fp32).",
            ARRAY,
            rule=Choice(choices.datapaths),
            default="int8; for --technology all, or several",
        ),
    ] = None,
    simulate: Annotated[
        bool,
        option(
            "--simulate",
            None,
            "Compile it with Verilator or Icarus Verilog, run a GEMM on it, compare with the emulator.",
            "Simulation",
        ),
    ] = False,
    batch: Annotated[int, GEMM_BATCH] = 16,
    in_features: Annotated[int, IN_FEATURES] = 12,
    out_features: Annotated[int, OUT_FEATURES] = 20,
    seed: Annotated[int, option("--seed", "N", "Of the data.", "GEMM", rule=NATURAL)] = 0,
    vcd: Annotated[
        bool, option("--vcd", None, "Of a simulation, also write its waveforms, waves.vcd.", "Simulation")
    ] = False,
    synthesize: Annotated[
        bool, option("--synthesize", None, "Tell the area of a PE, by Yosys: in gate equivalents.", "Synthesis")
    ] = False,
    whole_array: Annotated[
        bool,
        option(
            "--whole-array",
            None,
            "With --synthesize: the area of the whole array by part, too; of small ones.",
            "Synthesis",
        ),
    ] = False,
    liberty: Annotated[
        Path | None,
        option("--liberty", "FILE", "Cells to synthesize with; then in um2.", "Synthesis", rule=file),
    ] = None,
    technology: Annotated[
        Path | None,
        option(
            "--technology",
            "FILE",
            "Instead: synthesize the PEs of all dataflows, and write a technology (TOML) that has their areas.",
            "Synthesis",
            rule=file,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        option("--out", "DIR", "Where the files go.", OUTPUT, rule=path, default="rtl/SCHEDULE-ROWSxCOLS-FORMAT"),
    ] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Write the array as synthesizable SystemVerilog, and simulate it bit for bit beside the emulator."""
    from jaxgrad.array.gemm import Gemm
    from jaxgrad.array.schedules import find
    from jaxgrad.base.files import write_texts
    from jaxgrad.cli import cache, pe_areas, progress, screen
    from jaxgrad.hardware import Accelerator
    from jaxgrad.rtl import simulation, simulators, synthesis, vectors
    from jaxgrad.rtl.datapath import datapath
    from jaxgrad.rtl.machine import machine_of
    from jaxgrad.rtl.render import render

    if vcd and not simulate:
        raise InputError("--vcd", True, "give --simulate, too", problem="got --vcd without a simulation")
    if technology:
        if others := sorted(given(context) - {"technology", "formats", "liberty", "as_json"}):
            named = f"--{others[0].replace('_', '-')}"
            problem = f"got {named} with --technology, which takes --format, --liberty and --json"
            raise InputError(named, others[0], "leave one of the two out", problem=problem)
        return pe_areas.write(technology, list(dict.fromkeys(formats or choices.datapaths())), liberty, as_json=as_json)
    if whole_array and not synthesize:
        raise InputError(
            "--whole-array", True, "give --synthesize, too", problem="got --whole-array without a synthesis"
        )
    if liberty and not synthesize:
        raise InputError("--liberty", liberty, "give --synthesize, too", problem="got --liberty without a synthesis")
    if formats and len(formats) > 1:
        raise InputError("--format", formats, "give one; several are for --technology")
    (format_,) = formats or ["int8"]
    machine = machine_of(find(schedule), Accelerator(rows, cols, double_buffered), datapath(format_))
    buffering = "double" if double_buffered else "single"
    title = f"{schedule}: a {rows}x{cols} array, {buffering}-buffered, {format_}"
    folder = out or Path("rtl") / f"{schedule}-{rows}x{cols}-{format_}"
    terminal = screen.console()
    area: dict[str, Any] = {}
    if synthesize:
        with progress.busy("synthesizing with Yosys", terminal) if not as_json else nullcontext():
            whole = {"array_area": synthesis.machine_area(machine, liberty).as_dict()} if whole_array else {}
            area = {"pe_area": synthesis.pe_area(machine, liberty)._asdict(), **whole}
    if not simulate:
        files = render(machine, title)
        write_texts(folder, files)
        told = {"folder": str(folder), "top": "machine", "files": sorted(files)}
        if as_json:
            print(json.dumps(told | area))
        else:
            _tell_area(area, terminal)
            terminal.print(f"{title}\nIn {folder}, top module machine: {', '.join(sorted(files))}", soft_wrap=True)
        return 0
    cache.turn_on()
    gemm = Gemm(batch, in_features, out_features)
    simulator = simulators.found(simulation.TOP)
    waiting = progress.busy(f"compiling with {simulator.name}", terminal) if not as_json else nullcontext()
    programs = simulation.programs_of(machine, schedule, gemm)
    needed = max(vectors.address_bits(machine, program, gemm.sizes) for program in programs)
    with waiting:
        compiled = simulation.build(machine, folder, title, needed, simulator)
    compared = simulation.compared(compiled, programs, simulation.draw(machine.datapath, gemm, seed, _ZEROS), vcd=vcd)
    if as_json:
        config = {**asdict(gemm), **asdict(machine.array), "schedule": schedule, "format": format_, "seed": seed}
        print(json.dumps({"config": config, **compared.as_dict(), **area}))
    else:
        _tell_area(area, terminal)
        for part in _shown(compared.differences, compared.counters, title, gemm):
            terminal.print(part)
        waves = ", with waves.vcd" if vcd else ""
        terminal.print(f"\nIn {folder}: modules, testbench and the words of the last program{waves}", soft_wrap=True)
    return CHECK_FAILED if compared.differences else 0


def _tell_area(area: dict[str, Any], terminal: Console) -> None:
    """A line on what a PE takes, where that is known."""
    from jaxgrad.rtl.synthesis import NAND_UM2

    if pe := area.get("pe_area"):
        count, equivalents = sum(pe["cells"].values()), pe["gate_equivalents"]
        size = (
            f"{pe['um2']:,.1f} um2"
            if equivalents is None
            else f"{equivalents:,.0f} gate equivalents (NANDs), {equivalents * NAND_UM2:,.0f} um2 in NanGate's 45 nm"
        )
        terminal.print(f"A PE, by Yosys: {count:,} cells, {size}", soft_wrap=True)
    if whole := area.get("array_area"):
        unit, sizes = next(iter(whole.items()))
        parts = ", ".join(f"{part.replace('_', ' ')} {size:,.0f}" for part, size in sizes.items())
        terminal.print(
            f"The array, in {unit.replace('_', ' ')}: {sum(sizes.values()):,.0f}; {parts}. "
            f"Partial sums: {whole['psum_bits']:,} bits of memory",
            soft_wrap=True,
        )


def _shown(differences: list[Difference], counters: Counters, title: str, gemm: Gemm) -> list[Any]:
    from jaxgrad.reports import tables

    sizes = "x".join(map(str, gemm.sizes.values()))
    shown: list[Any] = [tables.counters_table(counters.counts(), f"{title}: gradients of the GEMM {sizes} (B x K x N)")]
    if not differences:
        return [*shown, "pass: every word of the outputs and every counter are those of the emulator's registers"]
    lines = [
        f"FAIL: {each.what}: hardware {each.hardware:,}, emulator {each.emulator:,}"
        if each.emulator
        else f"FAIL: {each.what}: {each.hardware:,} words differ"
        for each in differences
    ]
    return [*shown, *lines]
