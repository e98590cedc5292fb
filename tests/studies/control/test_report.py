"""An experiment with the control problem from its file to its report, by ``jaxgrad run``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.cli import main
from jaxgrad.studies.control import schema
from tests.command import ROOT
from tests.studies.cases import write
from tests.studies.control.cases import tree


def test_run_writes_all_files_and_they_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [str(write(tmp_path, tree())), "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    assert main(["run", *typed]) == 0
    shown = capsys.readouterr().out
    assert (
        "report.html, tables.tex, tables.md, tables.txt, results.json, results.csv; 2 figures as PNG, SVG and PDF"
        in shown
    )
    assert max(map(len, shown.splitlines()[:-1])) <= 100
    out = tmp_path / "out"
    exact, sampled = json.loads((out / "results.json").read_text())["points"]
    assert (exact["keep"], exact["kept_words"], sampled["kept_words"]) == (1, 24 * 3 * 25, 24 * 4 * 5)
    assert exact["losses"][0] == pytest.approx(sampled["losses"][0], rel=1e-5)
    assert exact["losses"][-1] < 0.9 * exact["losses"][0]
    assert exact["losses"] != sampled["losses"]
    assert sampled["theta"][0] != 4.7
    assert sampled["temporary_bytes"] < exact["temporary_bytes"]
    lines = list(csv.DictReader(io.StringIO((out / "results.csv").read_text())))
    assert [float(line["loss"]) for line in lines] == [*exact["losses"], *sampled["losses"]]
    table = (out / "tables.txt").read_text()
    assert "73.3%" in table  # 480 of 1,800 words
    assert f"{exact['losses'][-1]:.2e}" in table
    page = (out / "report.html").read_text()
    assert page.count("data:image/svg+xml") == 2
    assert main(["run", *typed, "--check"]) == 0
    assert "a small one. 2 points, 2 of them done before" in capsys.readouterr().out


def test_a_descent_that_diverges_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tree()
    content["descent"].update(learning_rate=1e30, keep=[1.0])
    file = write(tmp_path, content)
    assert main(["run", str(file), "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "keep 1: descent.learning_rate: got 1e+30, and the loss is" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["rad_control", "rad_control_full"])
def test_the_experiments_there_are_have_the_papers_grid(name: str) -> None:
    experiment = schema.load(ROOT / "experiments" / f"{name}.toml")
    control = experiment.control
    assert (control.points, control.steps_per_unit, control.diffusion, control.first) == (33, 4096, 0.25, 4.932)
    assert experiment.descent.keep == [1, 0.1, 0.01, 0.005, 0.002, 0.001]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["control"].update(points=2), "control.points in .*: got 2; give at least 3"),
        (lambda t: t["control"].update(steps_per_unit=15), "control.steps_per_unit in .*: got 15; give at least 16"),
        (
            lambda t: t["control"].update(horizon=0.01),
            "control.horizon in .*: got 0.01; give at least one step",
        ),
        (
            lambda t: t["descent"].update(keep=[0.0]),
            "descent.keep.* in .*: got 0.0; give a number above 0",
        ),
        (lambda t: t["descent"].update(keep=[0.5, 0.5]), "descent.keep in .*: got 0.5 twice; give each once"),
        (lambda t: t["descent"].update(keep=[]), "descent.keep in .*: got .*; give at least one"),
        (
            lambda t: t["control"].update(harmonics=0),
            "control.harmonics in .*: got 0; give a whole number",
        ),
        (lambda t: t.update(machine={}), "machine in .*: got .*; there is no such key"),
    ],
)
def test_bad_input_is_named(change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path) -> None:
    content = tree()
    change(content)
    with pytest.raises(InputError, match=said):
        schema.load(write(tmp_path, content))
