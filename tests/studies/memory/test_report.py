"""An experiment on memory from its file to its report, by ``jaxgrad run``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.cli import main
from tests.studies.cases import write
from tests.studies.memory.cases import tree


def run(folder: Path, content: dict[str, Any]) -> None:
    places = ["--out", str(folder / "out"), "--store", str(folder / "store")]
    assert main(["run", str(write(folder, content)), *places]) == 0


def test_run_writes_all_files_and_they_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, tree())
    shown = capsys.readouterr().out
    assert (
        "report.html, tables.tex, tables.md, tables.txt, results.json, results.csv; 1 figure as PNG, SVG and PDF"
        in shown
    )
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "results.csv").read_text())))
    networks = json.loads((tmp_path / "out" / "results.json").read_text())["networks"]
    assert [int(line["bytes"]) for line in lines] == [size for one in networks.values() for size in one["bytes"]]
    on_the_array = [size for one in networks.values() for size in one["bytes_on_the_array"]]
    assert [int(line["bytes_on_the_array"]) for line in lines] == on_the_array
    assert [line["published_megabytes"] for line in lines] == ["0.01", "0.0004", "", ""]
    # 647 and 523 bytes are .00 MB, published .01 and .0004
    assert networks["wide"]["differences_mb"] == [-0.01, 0.0]
    rows = {tuple(line.split()) for line in shown.splitlines()}
    assert {
        ("wide", "published", "0.01", "0.00"),
        ("by", "shares", "0.00", "0.00"),
        ("difference", "-0.01", "0"),
    } <= rows
    assert ("maps", "by", "shares", *(f"{size / 1e6:.2f}" for size in networks["maps"]["bytes"])) in rows
    assert ("on", "the", "array", *(f"{size / 1e6:.2f}" for size in on_the_array[2:])) in rows
    page = (tmp_path / "out" / "report.html").read_text()
    for text in ("how much?", "wide: a paper", "small", "Of 2 published figures 1 agree to the last digit."):
        assert text in page
    assert "Of 2 published figures 1 agree" in shown


def test_without_published_figures_nothing_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = {key: value for key, value in tree().items() if key not in ("published", "question", "notes")}
    content["network"] = content["network"][:1]
    run(tmp_path, content)
    capsys.readouterr()
    assert "ublished" not in (tmp_path / "out" / "tables.txt").read_text()
