"""An experiment with pipelines from its file to its report, by ``jaxgrad run``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from jaxgrad.cli import main
from jaxgrad.reports.screen import console
from jaxgrad.studies.pipelines import compare, points, schema, tables
from jaxgrad.studies.pipelines.compare import Results
from jaxgrad.studies.store import Store
from tests.studies.cases import write
from tests.studies.pipelines.cases import tree


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file and a store in which its point is done."""
    folder = tmp_path_factory.mktemp("kept")
    file = write(folder, tree())
    list(points.run(points.expand(schema.load(file), file), Store(folder / "store")))
    return folder


def results(kept: Path) -> Results:
    file = kept / "small.toml"
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)
    return compare.results(experiment, list(zip(expanded, points.run(expanded, Store(kept / "store")), strict=True)))


def test_run_writes_all_files_and_they_agree(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [str(kept / "small.toml"), "--store", str(kept / "store"), "--out", str(tmp_path / "out")]
    assert main(["run", *typed, "--check"]) == 0
    assert "a small one. 1 points, 1 of them done before" in capsys.readouterr().out
    assert main(["run", *typed]) == 0
    shown = capsys.readouterr().out
    assert (
        "report.html, tables.tex, tables.md, tables.txt, results.json, results.csv; 3 figures as PNG, SVG and PDF"
        in shown
    )
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "results.csv", "results.json", "tables.txt", "tables.md", "tables.tex", "report.html",
        *(f"ratios_{number}.{suffix}" for number in (1, 2, 3) for suffix in ("png", "svg", "pdf")),
    }  # fmt: skip
    data = json.loads((tmp_path / "out" / "results.json").read_text())
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "results.csv").read_text())))
    assert len(lines) == len(data["points"]) == 5 * 3
    period = {(line["variant"], line["processors"]): float(line["period"]) for line in lines}
    for comparison in data["comparisons"]:
        for count, ratio in comparison["ratios"]["lenet"].items():
            assert ratio == period[comparison["over"], count] / period[comparison["variant"], count]
    mean, greatest = data["published"]
    assert mean["deviation"] == pytest.approx(mean["ours"] - 1.25)
    assert mean["ours"] == data["comparisons"][0]["mean"]
    assert greatest["deviation"] == 0
    page = (tmp_path / "out" / "report.html").read_text()
    for text in ("how much?", "all is small", "by MACs: LayerPipe, MACs over PipeDream, MACs", "a paper", "idle"):
        assert text in page
    assert page.count("data:image/svg+xml") == 3


def test_the_screen_is_80_columns_wide_and_has_networks_where_a_figure_is_published(kept: Path) -> None:
    found = results(kept)
    screen = console(width=80)
    with screen.capture() as text:
        screen.print(tables.screen(found))
    assert max(map(len, text.get().splitlines())) <= 80
    assert "by MACs: LayerPipe, MACs over" in text.get()
    assert "interleaving: both over" not in text.get()
    titles = [cells.title for cells in tables.all_tables(found)]
    assert "interleaving: both over LayerPipe, by arrays" in titles


def test_cells_are_the_ratios_and_their_means(kept: Path) -> None:
    found = results(kept)
    by_macs = found.ratios[0]
    two, three, six = (f"{ratio:.2f}" for ratio in by_macs.by_network["lenet"].values())
    cells = tables.by_network(by_macs)
    assert cells.headers == ["network", "2", "3", "6", "mean"]
    assert cells.rows == [
        ["lenet", two, three, six, f"{by_macs.overall:.2f}"],
        ["mean", two, three, six, f"{by_macs.overall:.3f}"],
    ]
    assert tables.means(found).rows[0] == ["by MACs", two, three, six, f"{by_macs.overall:.3f}"]
    first, second = tables.published(found).rows
    assert first[:4] == ["[1]", "by MACs", "mean", "1.250"]
    assert first[5] == f"{100 * (by_macs.overall - 1.25):+.1f}%"
    assert (second[2], second[3], second[5]) == ("greatest on 3,6 arrays", ">= 1.100", "within")
    speedup = found.speedups("lenet", "PipeDream, MACs")
    assert tables.speedups(found, brief=True).rows[0][:2] == ["PipeDream, MACs", f"{speedup[2]:.2f}"]
    assert list(tables.idle(found)) == [
        f"{name}: lenet has fewer parts to distribute than 6 arrays; the others are idle"
        for name in ("PipeDream, MACs", "PipeDream")
    ]
