"""jaxgrad rtl --technology: PEs of all kinds as a technology file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.cli import main
from jaxgrad.rtl import areas, synthesis


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Areas as Yosys would find them, at once: of each PE the length of its name."""
    monkeypatch.setattr(synthesis, "version", lambda: "Yosys 0")
    monkeypatch.setattr(areas, "um2", lambda choice, liberty: float(len(str(choice))))


def test_it_writes_a_technology_that_runs_take(
    numbered: None, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rtl", "--technology", "own.toml", "--format", "int8", "--format", "int4_int1"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if "double" in line] == ["int8", "int4", "int4_int1"]
    assert "In own.toml: these areas, and energies and SRAM of horowitz-45nm" in said
    (elsewhere / "machine.toml").write_text(
        "[machine]\nrows = 4\ncols = 4\nprecision = 'int8'\ntechnology = 'own.toml'\nmemory.sram_kib = 64\n"
        "memory.dram_gb_per_s = 10\n"
    )
    shape = ["--batch", "4", "--in-features", "4", "--out-features", "4"]
    assert main(["gemm", *shape, "--machine", "machine.toml", "--json"]) == 0
    capsys.readouterr()
    assert main([*command, "--json", "--liberty", "cells.lib"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(pe["format"], pe["double_buffered"]) for pe in told["pes"]][:2] == [("int8", False), ("int8", True)]
    assert told["pes"][0]["ws_um2"] == len("ws, single-buffered, int8")
    assert told["pe_source"].endswith("--format int4_int1 --liberty cells.lib (Yosys 0, cells of cells.lib)")
    assert told["pe_source"] in (elsewhere / "own.toml").read_text()


def test_without_formats_it_takes_all(numbered: None, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rtl", "--technology", "own.toml", "--json"]) == 0
    formats = [pe["format"] for pe in json.loads(capsys.readouterr().out)["pes"]]
    assert formats[::2] == ["int8", "int4", "int4_int2", "int4_int1", "bf16"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--technology", "x"], "--technology: got 'x'; give the path of a file that ends in .toml"),
        (["--technology", "x.toml", "--rows", "3"], "--rows: got --rows with --technology, which takes --format"),
        (["--format", "int4", "--format", "int8"], "--format: got ['int4', 'int8']; give one"),
    ],
)
def test_what_will_not_do_is_one_line(
    more: list[str], said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rtl", *more]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert list(elsewhere.iterdir()) == []
