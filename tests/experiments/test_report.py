"""An experiment's folder: every file there, and what it says is what was computed."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from experiments import compare, pictures, points, report, runner, schema, tables
from experiments.compare import Row
from experiments.store import Store
from jaxgrad.costs import accelergy, energy
from tests.experiments.cases import tree


class Found:
    """A small experiment, run."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.experiment = schema.check(tree(**changes), "small.toml")
        wanted = points.expand(self.experiment, Path("small.toml"))
        results = [(point, summary) for point, summary, _ in runner.run(wanted, Store(folder / "store"))]
        self.rows: list[Row] = compare.rows(self.experiment, results)
        self.comparisons = compare.published(self.experiment, self.rows)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return Found(tmp_path_factory.mktemp("found"))


def text_of(found: Found, width: int, *, brief: bool) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(tables.screen(found.experiment, found.rows, found.comparisons, brief=brief))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_file_is_there_and_none_is_empty(found: Found, tmp_path: Path) -> None:
    files = report.write(tmp_path / "out", found.experiment, found.rows, found.comparisons)
    assert sorted(files) == sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert all(path.stat().st_size > 0 for path in files)
    names = {path.name for path in files}
    assert {
        "results.csv",
        "layers.csv",
        "results.json",
        "tables.txt",
        "report.html",
        "1_ERT.yaml",
        "1_ART.yaml",
    } <= names
    assert {"40x24_cycles.png", "40x24_energy.svg", "40x24_pareto.png"} <= names


def test_the_spreadsheet_has_every_phase_of_every_point(found: Found, tmp_path: Path) -> None:
    report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert len(lines) == sum(len(row.summary.phases) for row in found.rows)
    for row in found.rows:
        own = [line for line in lines if (line["variant"], line["batch"]) == (row.point.variant, row.point.at["batch"])]
        backward = [line for line in own if line["phase"] != "forward"]
        assert sum(int(line["time_cycles"]) for line in backward) == row.values["cycles"]
        assert sum(float(line["dram_energy_pj"]) for line in own) == pytest.approx(
            row.summary.select("step").energy_pj["dram"]
        )
    layers = list(csv.DictReader(io.StringIO((tmp_path / "layers.csv").read_text())))
    assert {line["gemms_BxKxN"] for line in layers} == {"2x40x24", "16x40x24"}


def test_json_has_values_ratios_and_published_figures(found: Found, tmp_path: Path) -> None:
    report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    data = json.loads((tmp_path / "results.json").read_text())
    assert [point["ratios"] for point in data["points"]] == [dict(row.ratios) for row in found.rows]
    assert [each["ours"] for each in data["published"]] == [each.ours for each in found.comparisons]


def test_energy_tables_are_the_machine_s(found: Found, tmp_path: Path) -> None:
    report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    read = accelergy.load_ert(tmp_path / "accelergy" / "1_ERT.yaml")
    expected = energy.table(found.rows[0].point.machine)
    assert {name: dict(actions) for name, actions in read.items()} == {
        name: pytest.approx(dict(actions)) for name, actions in expected.items()
    }


def test_the_page_is_whole_and_needs_nothing_else(found: Found, tmp_path: Path) -> None:
    report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    text = (tmp_path / "report.html").read_text()
    links: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(value or "" for name, value in attrs if name in ("src", "href"))

    Reader().feed(text)
    assert all(link.startswith(("#", "data:")) for link in links)
    assert all(word in text for word in ("a small one", "a paper", "interleaved", "Published"))


@pytest.mark.parametrize(("width", "brief"), [(100, True), (180, False)])
def test_tables_fit_and_name_their_units(found: Found, width: int, brief: bool) -> None:
    text = text_of(found, width, brief=brief)
    assert "…" not in text
    assert all(word in text for word in ("ratios are over WS", "[1]", "deviation", "Published"))
    for row in found.rows:
        assert f"{row.ratios['cycles']:.3f}" in text
    assert ("[words]" in text) is not brief


def test_a_whole_run_is_told_where_its_length_is_known(tmp_path: Path) -> None:
    changes = {"workload": {"layers": [[40, 24]], "batch": 6, "images": 100, "epochs": 3}, "sweep": [], "published": []}
    own = Found(tmp_path, **changes)
    cells = tables.run_totals(own.experiment, own.rows)
    assert cells is not None
    step = own.rows[0].summary.select("step")
    assert cells[1][0][3] == "17"  # steps an epoch, the last one not full
    assert float(cells[1][0][6]) == pytest.approx(sum(step.energy_pj.values()) * 51 / 1e18, rel=1e-2)
    assert float(cells[1][0][7]) == pytest.approx(step.time_cycles * 51 / 3.6e12, rel=1e-2)


def test_figures_follow_what_is_known(found: Found, tmp_path: Path) -> None:
    bare = Found(tmp_path, machine={"rows": 8, "cols": 4}, sweep=[], published=[], variant=[
        {"name": "WS", "schedule": "ws_only"}, {"name": "interleaved", "schedule": "interleaved"},
    ])  # fmt: skip
    names = {picture.name for picture in pictures.pictures(bare.experiment, bare.rows, [])}
    assert names == {"cycles", "40x24_accesses"}
    swept = {picture.name for picture in pictures.pictures(found.experiment, found.rows, found.comparisons)}
    assert swept == {f"40x24_{name}" for name in ("cycles", "accesses", "dram_bytes", "energy", "pareto")}
