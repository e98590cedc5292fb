"""An experiment that trains from its file to its report, by ``jaxgrad run``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from statistics import mean, stdev

import pytest

from jaxgrad.cli import main
from jaxgrad.reports.screen import console
from jaxgrad.studies.learning import report, tables
from jaxgrad.studies.learning.compare import Results
from tests.studies.cases import write
from tests.studies.learning.cases import tree, tuned, with_settings
from tests.studies.learning.test_compare import of
from tests.training.data.test_sources import write_cifar10


def test_run_writes_all_files_and_they_agree(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [str(kept / "small.toml"), "--store", str(kept / "store"), "--out", str(tmp_path / "out")]
    assert main(["run", *typed, "--check"]) == 0
    assert "a small one. 6 points, 6 of them done before" in capsys.readouterr().out
    assert main(["run", *typed]) == 0
    shown = capsys.readouterr().out
    assert (
        "report.html, tables.tex, tables.md, tables.txt, results.json, results.csv; 2 figures as PNG, SVG and PDF"
        in shown
    )
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "results.csv", "results.json", "tables.txt", "tables.md", "tables.tex", "report.html",
        *(f"{name}_1.{suffix}" for name in ("loss", "accuracy") for suffix in ("png", "svg", "pdf")),
    }  # fmt: skip
    data = json.loads((tmp_path / "out" / "results.json").read_text())
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "results.csv").read_text())))
    assert [(line["variant"], line["seed"], line["step"]) for line in lines] == [
        (name, seed, step) for name in ("plain", "late") for seed in "01" for step in ("3", "10")
    ] + [("wild", seed, "10") for seed in "01"]
    assert {line["diverged_at"] for line in lines if line["variant"] == "wild"} == {"2"}
    late = [line for line in lines if (line["variant"], line["step"]) == ("late", "10")]
    accuracies = [100 * float(line["test_accuracy"]) for line in late]
    of_late = data["variants"][1]
    at_end = of_late["measured"][-1]
    assert at_end["test_accuracy"]["mean"] == pytest.approx(mean(accuracies))
    assert at_end["test_accuracy"]["deviation"] == pytest.approx(stdev(accuracies))
    assert {int(line["cycles"]) for line in late} == {of_late["cycles"]}
    assert {int(line["weight_words"]) for line in late} == {of_late["weight_words"]}
    assert data["published"][0]["ours"]["mean"] == at_end["test_accuracy"]["mean"]
    page = (tmp_path / "out" / "report.html").read_text()
    for text in ("what is learned?", "all is small", "a paper", "the loss was no finite number at step 2 (seed 0)"):
        assert text in page
    assert page.count("data:image/svg+xml") == 2


def test_the_screen_is_80_columns_wide(results: Results) -> None:
    screen = console(width=80)
    with screen.capture() as text:
        screen.print(tables.screen(results))
    assert max(map(len, text.get().splitlines())) <= 80
    assert "(continued)" not in text.get()


def test_cells_are_means_and_deviations(results: Results) -> None:
    at_three, at_end = tables.learned(results)
    assert (at_three.title, at_end.title) == ("After 3 steps", "After the last step")
    assert at_three.headers == ["variant", "training loss", "test acc. [%]", "points"]
    assert at_end.headers == [*at_three.headers, "cycles", "weight words"]
    late = results.row("late", "")
    loss, accuracy = late.spread("train_loss"), late.spread("test_accuracy")
    points = late.less(results.baseline("")).mean
    plain_loss = results.baseline("").spread("train_loss", 3).mean
    assert None not in (loss.mean, accuracy.mean, plain_loss)
    plain, delayed, wild = at_end.rows
    assert plain[3:] == ["-", tables.measured(results.baseline("").cycles), "-"]
    assert delayed == [
        "late", f"{loss.mean:.3g} ±{loss.deviation:.2g}", f"{accuracy.mean:.1f} ±{accuracy.deviation:.1f}",
        f"{points:+.1f}", tables.measured(late.cycles), "570",
    ]  # fmt: skip
    assert wild == ["wild", "diverged", "diverged", "-", "-", "-"]
    first, second, third = tables.published(results).rows
    assert first[-3:] == ["20", delayed[2], f"{(accuracy.mean or 0) - 20:+.1f}"]
    assert (second[2], second[-1]) == ("training loss, 3 steps", f"x {(plain_loss or 0) / 2.5:.3g}")
    assert third[-3:] == ["diverged", "diverged", "as published"]
    assert [first[0], second[0], third[0]] == ["[1]", "[2]", "[3]"]


def test_what_is_taken_of_a_grid_is_told(tmp_path: Path) -> None:
    ends = {
        ("plain", "", 0.03): [(0.2, 0.5), (0.2, 0.5)], ("plain", "", 0.1): [(0.1, 0.6), (0.1, 0.6)],
        ("plain", "", 0.3): [(0.3, 0.6), None],
        ("wide", "", 0.03): [(0.1, 0.7), (0.1, 0.7)], ("wide", "", 0.1): [(0.2, 0.7), (0.2, 0.7)],
        ("wide", "", 0.3): [(0.3, 0.6), (0.3, 0.6)],
    }  # fmt: skip
    found = of(tmp_path, {**tuned(), "tune": {"optimizer.learning_rate": [0.03, 0.1, 0.3]}}, ends)
    *_, at_end = tables.learned(found)
    assert at_end.headers[:2] == ["variant", "learning rate"]
    assert [row[1] for row in at_end.rows] == ["0.1", "0.03*"]
    assert tables.tuning(found).rows == [["plain", "0.2", "0.1 <", "diverged"], ["wide", "0.1*", "0.2", "0.3"]]
    assert list(tables.remarks(found)) == [
        "wide: optimizer.learning_rate = 0.03 is at the edge of its grid: a better one may lie outside"
    ]
    assert [line.split(",")[:4] for line in report.as_csv(found).splitlines()[:2]] == [
        ["variant", "setting", "optimizer.learning_rate", "seed"], ["plain", "", "0.03", "0"],
    ]  # fmt: skip
    files = report.write(tmp_path / "out", found)
    assert "0.03*" in (tmp_path / "out" / "tables.txt").read_text()
    assert "Tuning" in files[-1].read_text()


def test_each_setting_has_its_tables_and_figures(tmp_path: Path) -> None:
    ends = {("plain", "slow", None): [(0.1, 0.5)], ("late", "slow", None): [None], ("wild", "slow", None): [None],
            ("plain", "fast", None): [None]}  # fmt: skip
    found = of(tmp_path, with_settings(), ends)
    assert [cells.title for cells in tables.learned(found)] == [
        f"{setting}: after {when}" for setting in ("slow", "fast") for when in ("3 steps", "the last step")
    ]
    assert tables.published(found).headers[1] == "setting"
    files = report.write(tmp_path / "out", found)
    # Where all runs diverged in their first epoch there is nothing to draw.
    assert {path.name for path in files if path.suffix == ".png"} == {"loss_1.png", "accuracy_1.png"}


def test_data_are_where_the_file_or_the_option_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    content = tree()
    content["training"]["data"] = {"name": "cifar10", "folder": "images", "batch_size": 10}
    content |= {"published": [], "variant": content["variant"][:1], "seeds": [0], "at_steps": []}
    (tmp_path / "files").mkdir()
    (tmp_path / "there").mkdir()
    write(tmp_path / "files", content)
    assert main(["run", "files/small.toml"]) == 2
    assert capsys.readouterr().err == (
        "error: training.data.folder in files/small.toml: got 'files/images', which is no folder; name the one "
        "with the cifar10 files\n"
    )
    assert main(["run", "files/small.toml", "--folder", "nowhere"]) == 2
    assert "error: --folder: got 'nowhere', which is no folder" in capsys.readouterr().err
    write_cifar10(tmp_path / "there")
    assert main(["run", "files/small.toml", "--folder", "there"]) == 0
    capsys.readouterr()
    (tmp_path / "there").rename(tmp_path / "files" / "images")
    assert main(["run", "files/small.toml", "--check"]) == 0
    assert "1 points, 1 of them done before" in capsys.readouterr().out
