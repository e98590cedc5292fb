"""Measurements in an experiment's folder: tables, page, CSV, JSON, figure, and the machine that was fitted."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from jaxgrad.cli import main
from jaxgrad.studies import report, schema
from jaxgrad.studies.trees import read
from tests.studies.cases import tree

LAYERS = [[96, 96], [700, 8], [8, 1000]]
CHANGES: dict[str, Any] = {
    "workload": {"layers": LAYERS, "batch": 64},
    "machine": {"rows": 8, "cols": 8, "double_buffered": True, "memory": {"sram_kib": 16, "dram_gb_per_s": 9.0}},
    "variant": [{"name": "WS", "schedule": "ws_only"}],
    "sweep": [],
    "published": [{"variant": "WS", "quantity": "cycles", "ratio": 1.0, "source": "a paper"}],
    "compare": "forward",
}


@pytest.fixture(autouse=True)
def without_figures_of_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take long, and measurements are in none of them."""
    monkeypatch.setattr(report, "figures_of", lambda *_: [])


def experiment(folder: Path, measured: list[dict[str, Any]], **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "own.toml"
    file.write_text(tomli_w.dumps(tree(**{**CHANGES, "measured": measured, **changes})), encoding="utf-8")
    return file


def run(file: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    """What the command shows, and its JSON."""
    assert main(["run", str(file), "--out", str(place), "--store", str(file.parent / "store")]) == 0
    return capsys.readouterr().out, json.loads((place / "results.json").read_text())


def entries(ours: list[float], **keys: Any) -> list[dict[str, Any]]:
    return [
        {"network": f"{k}x{n}", "value": value, "unit": "us", "source": f"bench {k}", **keys}
        for (k, n), value in zip(LAYERS, ours, strict=True)
    ]


def ours(folder: Path, clock: float, bandwidth: float, capsys: pytest.CaptureFixture[str]) -> list[float]:
    memory = {"sram_kib": 16, "dram_gb_per_s": bandwidth, "clock_ghz": clock}
    file = experiment(folder, entries([1.0] * 3), machine__memory=memory)
    _, data = run(file, folder / "out", capsys)
    return [each["ours"] for each in data["measured"]]


def test_measurements_are_in_every_file_and_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = entries([8.0, 9.0, 10.0], std=1.0)
    measured[2] = {**measured[2], "unit": "kB", "samples": [30.0, 31.0, 32.0], "source": "another"}
    del measured[2]["value"], measured[2]["std"]
    shown, data = run(experiment(tmp_path, measured), tmp_path / "out", capsys)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "measured.csv").read_text())))
    assert [line["quantity"] for line in lines] == ["time", "time", "dram_bytes"]
    for line, entry in zip(lines, data["measured"], strict=True):
        assert float(line["ours"]) == entry["ours"]
        assert float(line["error_percent"]) == entry["error_percent"]
        assert float(line["error_percent"]) == pytest.approx(100 * (entry["ours"] / entry["value"] - 1))
        assert float(line["error_bar"]) == entry["error_bar"]
        assert line["within_error_bar"] == str(entry["within_error_bar"])
    errors = [abs(entry["error_percent"]) for entry in data["measured"]]
    assert data["measured_overall"]["time"]["mape"] == pytest.approx(sum(errors[:2]) / 2)
    assert (data["measured_overall"]["time"]["points"], data["measured_overall"]["dram_bytes"]["points"]) == (2, 1)
    assert (data["fitted_to_measurements"], data.get("calibration")) == (False, None)
    page = (tmp_path / "out" / "report.html").read_text()
    for text in (shown, (tmp_path / "out" / "tables.txt").read_text(), page):
        assert all(word in text for word in ("Measured, and ours", "MAPE", "DRAM traffic", "bench 96", "another"))
        assert f"{errors[0]:.1f}%" in text
        assert "1.96 standard deviations" in text
        assert "Fitted" not in text
    assert "Nothing was fitted" in page
    assert all((tmp_path / "out" / f"measured{suffix}").stat().st_size > 0 for suffix in (".png", ".svg"))
    assert not (tmp_path / "out" / "calibrated.toml").exists()


def test_without_measurements_nothing_is_said_of_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown, data = run(experiment(tmp_path, []), tmp_path / "out", capsys)
    assert "easured" not in shown
    assert "measured" not in data
    assert not list((tmp_path / "out").glob("measured*"))


def test_a_fit_is_shown_beside_what_it_does_not_touch_and_its_file_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All results have the file's own values; the file that is written has those found, and says so."""
    measured = entries(ours(tmp_path / "true", 1.25, 12.5, capsys))
    file = experiment(tmp_path / "own", measured, calibrate={})
    plain = experiment(tmp_path / "plain", measured)
    shown, data = run(file, tmp_path / "out", capsys)
    _, without = run(plain, tmp_path / "plain" / "out", capsys)
    assert data["points"] == without["points"]
    assert data["measured"] == without["measured"]
    found = {value["name"]: value["found"] for value in data["calibration"]["values"]}
    assert found == pytest.approx({"dram_gb_per_s": 12.5, "clock_ghz": 1.25}, rel=5e-3)
    for text in (shown, (tmp_path / "out" / "report.html").read_text()):
        assert "Fitted to measurements" in text
        assert "least squares of ln(ours / measured)" in text
        assert "MAPE of the 3 measurements of the fit" in text
        assert "Too few measurements to leave some out" in text
    # Fitted as written, from wherever it is.
    calibrated = tmp_path / "out" / "calibrated.toml"
    assert read(calibrated, "CONFIG")["machine"]["memory"]["clock_ghz"] == found["clock_ghz"]
    again, fitted = run(calibrated, tmp_path / "again", capsys)
    assert max(abs(each["error_percent"]) for each in fitted["measured"]) < 1
    assert fitted["fitted_to_measurements"] is True
    assert "values of this machine were chosen so that ours come near what was measured" in again
    assert "Nothing was fitted" not in (tmp_path / "again" / "report.html").read_text()
    assert "calibration" not in fitted


def test_a_fit_is_done_once_and_counted_among_the_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = experiment(tmp_path, entries([10.0, 20.0, 30.0]), calibrate={"values": ["clock_ghz"]})
    store = ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    assert main(["run", str(file), "--check", *store]) == 0
    assert "4 points, 0 of them done before" in capsys.readouterr().out
    run(file, tmp_path / "out", capsys)
    assert main(["run", str(file), "--check", *store]) == 0
    assert "4 points, 4 of them done before" in capsys.readouterr().out


def test_what_is_not_determined_is_said_and_nothing_is_written_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing waits for DRAM; and of two kinds of cycles alone no clock is known."""
    memory = {"sram_kib": 16, "dram_gb_per_s": 4000.0}
    measured = [{**each, "unit": "kcycles"} for each in entries([1.0, 2.0, 3.0])]
    file = experiment(tmp_path, measured, calibrate={}, machine__memory=memory)
    shown, data = run(file, tmp_path / "out", capsys)
    assert "The DRAM bandwidth is not determined: none of the measured waits for DRAM. Any of at least" in shown
    assert "The clock is not determined: nothing was measured in time" in shown
    assert "Nothing was found: the machine is as the file has it." in shown
    assert [value["found"] for value in data["calibration"]["values"]] == [None, None]
    assert not (tmp_path / "out" / "calibrated.toml").exists()


def test_measurements_are_read_from_a_file_beside_the_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = experiment(tmp_path / "inner", [{"file": "layers.csv", "unit": "us", "source": "a bench"}])
    (tmp_path / "inner" / "layers.csv").write_text("network,value,ci95\n96x96,8,0.5\n8x1000,30,\n")
    monkeypatch.chdir(tmp_path)
    assert [section.value for section in schema.load(Path("inner/own.toml")).measured] == [8.0, 30.0]
    shown, data = run(file, tmp_path / "out", capsys)
    assert [each["error_bar"] for each in data["measured"]] == [0.5, None]
    assert "the 95 % interval that was given" in shown
    (tmp_path / "inner" / "layers.csv").write_text("network,value\n96x96,0\n")
    assert main(["run", str(file)]) == 2
    error = capsys.readouterr().err
    assert "layers.csv, line 2: value: got 0.0; give a number above 0" in error
    assert len(error.splitlines()) == 1


def test_a_layer_that_is_not_there_is_one_line_and_leaves_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, changes in enumerate(({}, {"calibrate": {}})):
        place = tmp_path / str(number)
        file = experiment(place, [{**entries([8.0] * 3)[0], "layer": "conv9"}], **changes)
        assert main(["run", str(file), "--out", str(place / "out"), "--store", str(place / "store")]) == 2
        error = capsys.readouterr().err
        assert "measured.layer: got 'conv9'; choose one of dense" in error
        assert len(error.splitlines()) == 1
        assert not list((place / "out").glob("*"))


def test_of_many_measurements_the_screen_has_the_farthest_off_and_the_files_have_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = entries([8.0] * 3)[0]
    many = [{**one, "value": 8.0 + 0.1 * number} for number in range(25)]
    shown, _ = run(experiment(tmp_path, many), tmp_path / "out", capsys)
    assert "Shown are the 20 of 25 that are farthest off; tables.txt has all." in shown
    whole = (tmp_path / "out" / "tables.txt").read_text()
    assert "Shown are" not in whole
    rows = [
        [line for line in text.splitlines() if line.startswith(" 96x96") and "us" in line] for text in (shown, whole)
    ]
    assert [len(lines) for lines in rows] == [20, 25]
    assert rows[1][-1].split() in [line.split() for line in rows[0]]
