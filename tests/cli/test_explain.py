"""``jaxgrad explain``: one layer, every schedule, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.cli import main

LAYER = ["explain", "--batch", "392", "--in-features", "512", "--out-features", "64"]
ARRAY = ["--rows", "128", "--cols", "128", "--double-buffered"]
MACHINE = """
[machine]
rows = 4
cols = 4
technology = "horowitz-45nm"
[machine.memory]
sram_kib = 64
dram_gb_per_s = 1.0
"""


def test_it_names_the_fastest_schedule_and_the_axes_that_decide(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAYER, *ARRAY]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "interleaved_n takes fewest cycles, 29.9% fewer than interleaved." in text
    # b = 392 on 128 rows: 4 tiles, 392 / 512 of them filled; n = 64: half of them.
    assert "b (392) fills 77% of the rows" in text
    assert "n (64) fills 50% of the rows" in text
    assert all(name in text for name in TRAINING_SCHEDULES)


def test_its_numbers_are_those_of_the_counters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAYER, *ARRAY, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["config"]["out_features"] == 64
    assert set(result["schedules"]) == set(TRAINING_SCHEDULES)
    for name, explained in result["schedules"].items():
        counters = count(Gemm(392, 512, 64), Accelerator(128, 128, True), name).as_dict()
        assert explained["cycles"] == counters["cycles"]
        assert explained["stream_cycles"] + explained["other_cycles"] == explained["cycles"]


def test_the_fastest_is_not_compared_with_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAYER, *ARRAY, "--schedule", "interleaved_n"]) == 0
    assert "interleaved_n takes fewest cycles.\n" in capsys.readouterr().out


def test_a_machine_with_a_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "machine.toml"
    file.write_text(MACHINE)
    small = ["explain", "--batch", "5", "--in-features", "6", "--out-features", "7"]
    assert main([*small, "--machine", str(file)]) == 0
    text = capsys.readouterr().out
    assert "on a 4x4 array, single-buffered" in text
    assert "stalls" in text
    assert main([*small, "--machine", str(file), "--json"]) == 0
    step = json.loads(capsys.readouterr().out)["step"]
    assert step["total"]["backward"]["interleaved"]["stall_cycles"] > 0
    assert set(step["energy_pj"]) == set(TRAINING_SCHEDULES)


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--batch", "0"]) == 2
    assert capsys.readouterr().err == "error: --batch: got 0; give a whole number of at least 1\n"
