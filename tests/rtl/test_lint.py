"""Verilator finds nothing to say of any machine, with all its warnings on."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad import Accelerator
from jaxgrad.array import schedules
from jaxgrad.base import external
from jaxgrad.rtl.datapath import DATAPATHS
from jaxgrad.rtl.machine import machine_of
from jaxgrad.rtl.render import render

ALL = [str(name) for name in schedules.SCHEDULES]


@pytest.mark.parametrize("double_buffered", [False, True])
@pytest.mark.parametrize("schedule", ALL)
def test_lint(schedule: str, double_buffered: bool, verilator: str, tmp_path: Path) -> None:
    for rows, cols, name in ((3, 2, "int8"), (1, 1, "int4_int2"), (2, 3, "int4_int1"), (1, 3, "bf16")):
        array = Accelerator(rows, cols, double_buffered)
        files = render(machine_of(schedules.find(schedule), array, DATAPATHS[name]), "title")
        folder = tmp_path / f"{rows}x{cols}"
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
        external.run([verilator, "--lint-only", "-Wall", "--top-module", "machine", *sorted(files)], folder)
