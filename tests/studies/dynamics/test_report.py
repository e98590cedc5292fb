"""An experiment on the dynamics of training, from what was measured to its report, by ``jaxgrad run``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from jaxgrad.array.counting import count, count_forward
from jaxgrad.array.gemm import Gemm
from jaxgrad.cli import main
from jaxgrad.hardware import Accelerator
from jaxgrad.studies.dynamics import points, schema
from jaxgrad.studies.dynamics.spending import spending
from jaxgrad.studies.store import Store
from tests.studies.cases import write
from tests.studies.dynamics.cases import tree

TIMES, SEEDS = 7, 2


def test_run_writes_all_files_and_they_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tree()
    content["machine"] = {"rows": 4, "cols": 8, "technology": "horowitz-45nm"}
    content["machine"]["memory"] = {"sram_kib": 64, "dram_gb_per_s": 10.0}
    file, store = write(tmp_path, content), Store(tmp_path / "store")
    # As if they had been trained: the loss of the second variant is lower, all falls over time.
    for scale, point in zip((2.0, 1.0), points.expand(schema.load(file), file), strict=True):
        falling = (scale * np.linspace(1, 0.4, SEEDS * TIMES)).reshape(TIMES, SEEDS).T
        series = [falling, falling / 2, falling / 4, -falling / 8, falling / 16, falling]
        store.put(points.KIND, point.spec, [values.tolist() for values in series])
    typed = [str(file), "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    assert main(["run", *typed, "--check"]) == 0
    assert "a small one. 2 points, 2 of them done before" in capsys.readouterr().out
    assert main(["run", *typed]) == 0
    shown = capsys.readouterr().out
    assert (
        "report.html, tables.tex, tables.md, tables.txt, results.json, results.csv; 4 figures as PNG, SVG and PDF"
        in shown
    )
    assert max(map(len, shown.splitlines()[:-1])) <= 100
    out = tmp_path / "out"
    found = json.loads((out / "results.json").read_text())
    lines = list(csv.DictReader(io.StringIO((out / "results.csv").read_text())))
    assert len(lines) == 2 * SEEDS * TIMES
    places = [(line["variant"], line["seed"], line["step"]) for line in lines[6:8]]
    assert places == [("slow", "3", "6"), ("slow", "0", "0")]
    slow, fast = (variant["windows"] for variant in found["variants"])
    late = [float(line["gradient"]) for line in lines if line["variant"] == "slow" and int(line["step"]) in (4, 5, 6)]
    assert slow[1]["gradient"] == pytest.approx(np.mean(late))
    assert slow[1]["balance"] == fast[0]["balance"] == pytest.approx(0.5)
    assert [claim["holds"] for claim in found["claims"]] == [True, False]
    spent = found["variants"][0]["spending"]
    assert (spent["steps"], spent["after"]) == (6, None)
    assert spent["joules"] > 0
    table = (out / "tables.txt").read_text()
    assert f"{spent['cycles']:,}" in table
    page = (out / "report.html").read_text()
    assert page.count("data:image/svg+xml") == 4
    assert "it vanishes" in page


def test_what_a_run_takes_is_its_steps_in_closed_form(tmp_path: Path) -> None:
    file = write(tmp_path, tree())
    spent = spending(points.expand(schema.load(file), file)[0], file, 4)
    array = Accelerator(16, 16)
    cycles = sum(count_forward(Gemm(359, k, n), array).as_dict()["cycles"] for k, n in ((64, 4), (4, 10)))
    cycles += count(Gemm(359, 64, 4), array, "interleaved", dx=False).as_dict()["cycles"]
    cycles += count(Gemm(359, 4, 10), array, "interleaved").as_dict()["cycles"]
    assert spent == (cycles, None, 6, 2)


def test_a_loss_that_diverges_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tree()
    content["training"]["optimizer"]["learning_rate"] = 1e30
    del content["variant"][1:], content["claim"][0]
    typed = [str(write(tmp_path, content)), "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    assert main(["run", *typed]) == 2
    said = "error: slow: optimizer.learning_rate: got 1e+30, and what is measured is no finite number any more; "
    assert capsys.readouterr().err == said + "give a lower one\n"
    assert not (tmp_path / "out").exists()
