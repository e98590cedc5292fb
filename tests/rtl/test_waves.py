"""Waveforms of the hardware beside the animation's frames: the same names, the same values in each cycle."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array import schedules
from jaxgrad.reports.timeline.animation import films
from jaxgrad.rtl import simulators
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.machine import machine_of
from jaxgrad.rtl.simulation import TOP, build
from tests.rtl.hardware_tools import installed

GEMM, ARRAY = Gemm(3, 4, 3), Accelerator(2, 2, double_buffered=True)
TENSORS = {"x": "X", "w": "W", "dy": "dY"}


SHOWN = {"w": "w", "w_next": "w_next", "acc": "acc", "acc_next": "acc_next", "h_out": "h", "v_out": "v"}
"""A PE's signals, and what the animation calls them."""

PE = "testbench.machine.systolic_array.row[{}].col[{}].pe."
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "rtl.md"


@pytest.mark.slow
def test_signals_have_the_names_and_values_of_the_animation(tmp_path: Path) -> None:
    """What a frame shows after a cycle, the waveform has as the next one begins; and the page has an excerpt of it."""
    simulator = installed(lambda: simulators.found(TOP))
    machine = machine_of(schedules.find("interleaved"), ARRAY, datapath("int8"))
    (film,) = films(["interleaved"], GEMM, ARRAY)
    tensors = {name: np.array(film["operands"][shown], np.int32) for name, shown in TENSORS.items()}
    build(machine, tmp_path, "interleaved", 6, simulator).run(machine.programs[0], tensors, vcd=True)
    cycles = in_cycles((tmp_path / "waves.vcd").read_text())
    assert sorted(SHOWN.values()) == sorted(film["planes"])
    for time, frame in enumerate(film["frames"][:-1]):
        for signal, name in SHOWN.items():
            waves = [[cycles[time + 1][PE.format(r, c) + signal] for c in range(2)] for r in range(2)]
            assert waves == frame["planes"][name], (time, signal)
    times = range(5, 11)
    excerpt = [f"{'cycle':8}" + "".join(f"{time:4}" for time in times)]
    excerpt += [
        f"{signal:8}" + "".join(f"{cycles[time][PE.format(1, 1) + signal]:4}" for time in times) for signal in SHOWN
    ]
    assert "\n".join(f"    {line}" for line in excerpt) in PAGE.read_text(encoding="utf-8")


class Signal(NamedTuple):
    """Where it is, and of how many bits."""

    path: str
    bits: int


def in_cycles(text: str) -> dict[int, dict[str, int]]:
    """Signed values of all signals, by path, as each of the machine's cycles begins."""
    scopes: list[str] = []
    signals: dict[str, list[Signal]] = defaultdict(list)
    now: dict[str, str] = {}
    cycles: dict[int, dict[str, int]] = {}
    for line in map(str.strip, text.splitlines()):
        words = line.split()
        if line.startswith("$scope"):
            scopes.append(words[2])
        elif line.startswith("$upscope"):
            scopes.pop()
        elif line.startswith("$var"):
            signals[words[3]].append(Signal(".".join([*scopes, words[4]]), int(words[2])))
        elif line.startswith("#"):
            values = {each.path: signed(now[code], each.bits) for code in now for each in signals[code]}
            if values.get("testbench.machine.clk") == 0 and values["testbench.machine.counting"]:
                cycles[values["testbench.machine.controller.now"]] = values
        elif found := re.fullmatch(r"b([01xz]+) (\S+)|([01xz])(\S+)", line):
            now[found[2] or found[4]] = found[1] or found[3]
    return cycles


def signed(word: str, bits: int) -> int:
    """A word's number; leading zeros are not written, and what is unknown is 0."""
    value = int(re.sub("[xz]", "0", word), 2)
    return value - (1 << bits if bits > 1 and value >> (bits - 1) else 0)
