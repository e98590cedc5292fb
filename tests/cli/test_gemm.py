"""``jaxgrad gemm``: counters and a check that can fail."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from jaxgrad.array.counters import NAMES
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.cli import main

SMALL_GEMM = ["gemm", "--batch", "5", "--in-features", "6", "--out-features", "7", "--rows", "4", "--cols", "3"]


def test_gemm_prints_every_counter_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL_GEMM) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in NAMES)
    assert len(re.findall("^pass: d[xw] ", text, re.MULTILINE)) == 2


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_gemm_prints_json_alone(fidelity: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL_GEMM, "--double-buffered", "--fidelity", fidelity, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"config", "counters", "check"}
    assert result["config"] == {
        "batch": 5, "in_features": 6, "out_features": 7, "rows": 4, "cols": 3, "double_buffered": True,
        "schedule": "interleaved", "fidelity": fidelity, "weight_update": "none", "objective": "cycles", "seed": 0,
    }  # fmt: skip
    # DESIGN.md section 2: 2 x 2 tiles, R + (T-1) max(2B,R) + (2B+R+C-2) + R cycles.
    assert result["counters"]["cycles"] == 4 + 3 * 10 + (10 + 4 + 3 - 2) + 4
    assert result["counters"]["macs"] == 2 * 5 * 6 * 7
    assert result["check"]["passed"]


def test_gemm_of_one_gradient_checks_that_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gemm", "--schedule", "os", "--json"]) == 0
    check = json.loads(capsys.readouterr().out)["check"]
    assert "dw" in check
    assert "dx" not in check


def test_gemm_fails_where_a_gradient_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jaxgrad.array.emulation import emulate

    def off_by_a_thousandth(*args: Any, **options: Any) -> Any:
        dx, dw, counters = emulate(*args, **options)
        assert dx is not None
        return dx.at[0, 0].add(1e-3), dw, counters

    monkeypatch.setattr("jaxgrad.array.emulation.emulate", off_by_a_thousandth)
    assert main(["gemm"]) == 1
    assert "FAIL: dx" in capsys.readouterr().out


def test_a_long_register_run_says_so_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Begun(Exception):
        pass

    def begin(*_: object, **__: object) -> None:
        raise Begun

    monkeypatch.setattr("jaxgrad.array.emulation.emulate", begin)
    size = ["--batch", "4096", "--in-features", "4096", "--out-features", "4096"]
    for fidelity, said in (
        # 65,536 tiles of 8,254 cycles, at .31 us.
        (
            "register",
            "note: register fidelity will take about 2.8 min on one core, besides compiling; tile and native ",
        ),
        ("tile", ""),
    ):
        with pytest.raises(Begun):
            main(["gemm", *size, "--fidelity", fidelity, "--json"])
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(said)
        assert err.count("\n") == bool(said)
