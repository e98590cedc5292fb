"""An experiment's folder: every file there, and what it says is what was computed."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib import font_manager
from PIL import ImageFont
from rich.console import Console

from jaxgrad.array.counts import CYCLES, STALLS, Key
from jaxgrad.costs import energy
from jaxgrad.hardware import energy_table
from jaxgrad.reports import html
from jaxgrad.reports.numbers import energy_unit, time_unit
from jaxgrad.reports.style import SCREEN
from jaxgrad.studies import compare, figures, frame, points, report, runner, schema, tables
from jaxgrad.studies.compare import Row
from jaxgrad.studies.store import Store
from tests.browsing import WIDTHS, opened, overflow
from tests.studies.cases import tree


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
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".40x24_cycles.123.tmp.png").write_text("half of what a killed run wrote")
    files = report.write(tmp_path / "out", found.experiment, found.rows, found.comparisons)
    assert sorted(files) == sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert all(path.stat().st_size > 0 for path in files)
    names = {path.name for path in files}
    assert {
        "results.csv",
        "layers.csv",
        "results.json",
        "tables.txt",
        "tables.md",
        "tables.tex",
        "report.html",
        "1_ERT.yaml",
        "1_ART.yaml",
    } <= names
    assert {"40x24_cycles.png", "40x24_energy.svg", "40x24_pareto.png"} <= names


def test_an_experiment_s_points_are_a_data_frame(found: Found) -> None:
    assert isinstance(found.rows, compare.Rows)
    frame = found.rows.to_dataframe()
    assert len(frame) == len(found.rows)
    assert frame.energy_uj.tolist() == [row.values["energy"] for row in found.rows]
    assert frame.cycles_ratio.tolist() == [row.ratios["cycles"] for row in found.rows]
    assert {"network", "batch", "variant", "array_rows", "sram_words", "dram_bytes", "area_mm2"} <= set(frame)


def test_its_page_links_to_every_file_and_fits_every_window(chromium: Any, found: Found, tmp_path: Path) -> None:
    files = report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    for width in WIDTHS:
        with opened(chromium, tmp_path / "report.html", width) as page:
            assert overflow(page) == 0
            links = page.eval_on_selector_all(".files a", "all => all.map((link) => decodeURI(link.href))")
    linked = [tmp_path / link.removeprefix(f"{tmp_path.resolve().as_uri()}/") for link in links]
    assert sorted([*linked, tmp_path / "report.html"]) == sorted(files)


def test_the_spreadsheet_has_every_phase_of_every_point(found: Found, tmp_path: Path) -> None:
    report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert len(lines) == sum(len(row.summary.phases) for row in found.rows)
    for row in found.rows:
        own = [line for line in lines if (line["variant"], line["batch"]) == (row.point.variant, row.point.at["batch"])]
        backward = [line for line in own if line["phase"] != "forward"]
        assert sum(int(line["cycles"]) for line in backward) == row.values["cycles"]
        assert sum(float(line["dram_energy_pj"]) for line in own) == pytest.approx(
            row.summary.select("step").energy_pj["dram"]
        )
    layers = list(csv.DictReader(io.StringIO((tmp_path / "layers.csv").read_text())))
    assert {line["gemms_BxKxN"] for line in layers} == {"2x40x24", "16x40x24"}


def test_cycles_mean_the_same_in_every_file(tmp_path: Path) -> None:
    """All clock cycles, stalls included; on a machine that does stall."""
    own = Found(tmp_path / "store", machine__memory__dram_gb_per_s=0.1)
    report.write(tmp_path, own.experiment, own.rows, own.comparisons)
    by_place: dict[tuple[str, str, str], list[tuple[int, ...]]] = {}
    for name in ("results.csv", "layers.csv"):
        for line in csv.DictReader(io.StringIO((tmp_path / name).read_text())):
            found = tuple(int(line[kind]) for kind in ("cycles", "busy_cycles", "stall_cycles"))
            by_place.setdefault((line["variant"], line["batch"], line["phase"]), []).append(found)
    data = json.loads((tmp_path / "results.json").read_text())
    for point, row in zip(data["points"], own.rows, strict=True):
        for phase, part in zip(point["phases"], row.summary.phases, strict=True):
            counts = phase["counts"]
            expected = (part.time_cycles, part.counts[CYCLES], part.counts[STALLS])
            assert (counts["cycles"], counts["busy_cycles"], counts["stall_cycles"]) == expected
            # One layer, so that the layer's numbers are the phase's.
            assert by_place[point["variant"], point["at"]["batch"], phase["phase"]] == [expected] * 2
        backward = [phase["counts"]["cycles"] for phase in point["phases"] if phase["phase"] != "forward"]
        assert point["values"]["cycles"] == sum(backward)
    assert any(stalls for places in by_place.values() for _, _, stalls in places)


def test_a_level_s_counts_energies_stalls_and_area_are_in_every_file_by_name(tmp_path: Path) -> None:
    """In one of the variants it is not there."""
    level = {"name": "l2", "size_kib": 64, "gb_per_s": 32.0}
    own = Found(
        tmp_path / "store",
        machine__memory__sram_kib=1,
        machine__memory__levels=[level],
        variant__0__machine={"memory": {"levels": []}},
        workload__layers=[[90, 120]],
    )
    report.write(tmp_path, own.experiment, own.rows, own.comparisons)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    data = json.loads((tmp_path / "results.json").read_text())
    for point, row in zip(data["points"], own.rows, strict=True):
        place = (row.point.variant, row.point.at["batch"])
        written = {line["phase"]: line for line in lines if (line["variant"], line["batch"]) == place}
        for phase, part in zip(point["phases"], row.summary.phases, strict=True):
            line = written[phase["phase"]]
            assert "dram_stall_cycles" in line
            for name in ("l2_x_reads", "l2_x_fills", "l2_y_write_backs", "l2_stall_cycles"):
                assert int(line[name]) == phase["counts"].get(name, 0)
            assert line["l2_energy_pj"] == str(part.energy_pj.get("l2", ""))
            assert phase["energy_pj"].get("l2") == part.energy_pj.get("l2")
            assert line["l2_area_um2"] == str(row.summary.area_um2.get("l2", ""))
        assert bool(row.summary.levels) is (row.point.variant != "WS")
        assert bool(row.summary.select("step").counts.get(Key("l2", "w", "fills"))) is bool(row.summary.levels)
    shown = (tmp_path / "tables.txt").read_text()
    assert "Memories of each: backward pass" in shown
    assert sum(line.split()[:1] == ["DRAM"] for line in shown.splitlines()) == 4
    assert "Memories" in (tmp_path / "report.html").read_text()
    assert {path.name for path in tmp_path.glob("*.png")} >= {"90x120_cycles.png"}
    assert "system.l2[0..0]" in (tmp_path / "accelergy" / "2_ART.yaml").read_text()


def test_json_has_values_ratios_and_published_figures(found: Found, tmp_path: Path) -> None:
    report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    data = json.loads((tmp_path / "results.json").read_text())
    assert [point["ratios"] for point in data["points"]] == [dict(row.ratios) for row in found.rows]
    assert [each["ours"] for each in data["published"]] == [each.ours for each in found.comparisons]


def test_energy_tables_are_the_machine_s(found: Found, tmp_path: Path) -> None:
    report.write(tmp_path, found.experiment, found.rows, found.comparisons)
    read = energy_table.load_ert(tmp_path / "accelergy" / "1_ERT.yaml")
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
    assert all(link.startswith(("#", "data:")) or (tmp_path / link).is_file() for link in links)
    assert all(word in text for word in ("a small one", "a paper", "interleaved", "Published"))


def test_no_column_of_the_page_is_hidden_in_a_window_of_1280_pixels(found: Found) -> None:
    """By the widths of the letters; numbers do not wrap, headers do at their words, names anywhere."""
    css = Path(html.__file__).with_name("report.html.jinja").read_text()
    assert "max-width: calc(100vw - 2.5rem)" in css
    font_px, padding_px = (
        16 * float(re.findall(pattern, css)[0])
        for pattern in (r"table \{.*font-size: ([\d.]+)rem", r"th, td \{ padding: [\d.]+rem ([\d.]+)rem")
    )
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), font_px)
    shown = frame.html_table(tables.results(found.experiment, found.rows))
    assert [header for header in shown.headers if "ratio" not in header][-2:] == ["area [mm2]", "busy PEs"]
    width_px = 0.0
    for index, numeric in enumerate(shown.numeric):
        words = shown.headers[index].split()
        words += [str(row[index]) for row in shown.rows] if numeric else ["eight or"]
        width_px += 2 * padding_px + max(map(font.getlength, words))
    assert width_px <= 1280 - 40


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
    unit = energy_unit(sum(step.energy_pj.values()) * 51)
    assert cells[0][6] == f"energy of\nall [{unit.name}]" == "energy of\nall [uJ]"
    assert float(cells[1][0][6]) == pytest.approx(sum(step.energy_pj.values()) * 51 / unit.size, rel=1e-2)
    seconds = step.time_cycles * 51 / 1e9
    assert cells[0][7] == f"time of\nall [{time_unit(seconds).name}]" == "time of\nall [us]"
    assert float(cells[1][0][7]) == pytest.approx(1e6 * seconds, rel=1e-2)


def test_figures_follow_what_is_known(found: Found, tmp_path: Path) -> None:
    bare = Found(tmp_path, machine={"rows": 8, "cols": 4}, sweep=[], published=[], variant=[
        {"name": "WS", "schedule": "ws_only"}, {"name": "interleaved", "schedule": "interleaved"},
    ])  # fmt: skip
    names = {figure.name for figure in figures.figures_of(bare.experiment, bare.rows, [])}
    assert names == {"cycles", "40x24_accesses"}
    swept = {figure.name for figure in figures.figures_of(found.experiment, found.rows, found.comparisons)}
    assert swept == {f"40x24_{name}" for name in ("cycles", "accesses", "dram_bytes", "energy", "pareto")}


def names_of(found: Found) -> set[str]:
    return {figure.name for figure in figures.figures_of(found.experiment, found.rows, found.comparisons)}


@pytest.mark.parametrize(
    ("sweep", "groups"),
    [
        ({"name": "batch", "keys": ["workload.batch"], "values": [4]}, ["40x24, batch 4"]),
        (
            {"name": "PEs", "keys": ["machine.double_buffered"], "values": [False, True], "labels": ["a", "b/.."]},
            ["40x24, PEs a", "40x24, PEs b/.."],
        ),
    ],
)
def test_a_sweep_that_no_line_can_show_gets_bars(
    sweep: dict[str, Any], groups: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Found(tmp_path, sweep=[sweep], published=[])
    assert "cycles" in names_of(own)
    assert all("/" not in name and not name.startswith(".") for name in names_of(own))
    drawn: list[Any] = []
    monkeypatch.setattr(figures.plots, "normalised_cycles", lambda some, *_, **__: drawn.append(list(some)) or [])
    monkeypatch.setattr(figures.plots, "sweep", lambda *_, **__: pytest.fail("a line of one point"))
    for figure in figures.figures_of(own.experiment, own.rows, own.comparisons):
        if figure.name == "cycles":
            figure.draw(tmp_path / "x", SCREEN)
    assert drawn == [groups]


def test_lines_are_drawn_against_the_axis_that_has_several_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = [
        {"name": "batch", "keys": ["workload.batch"], "values": [2, 16]},
        {"name": "GB/s", "keys": ["machine.memory.dram_gb_per_s"], "values": [1.0]},
    ]
    own = Found(tmp_path, sweep=sweep)
    axes: list[str] = []
    monkeypatch.setattr(figures.plots, "sweep", lambda *_, x_label, **__: axes.append(x_label) or [])
    for figure in figures.figures_of(own.experiment, own.rows, own.comparisons):
        if "pareto" not in figure.name:
            figure.draw(tmp_path / "x", SCREEN)
    assert set(axes) == {"batch"}


def test_no_two_figures_have_one_file(tmp_path: Path) -> None:
    """Labels that differ in what a file's name can't have, or in the size of a letter, which some folders ignore."""
    sweep = [
        {
            "name": "PEs",
            "keys": ["machine.double_buffered"],
            "values": [False, True, False, False],
            "labels": ["a/b", "a b", "A*B", "a b_2"],
        },
        {"name": "batch", "keys": ["workload.batch"], "values": [2, 16]},
    ]
    own = Found(tmp_path, sweep=sweep, published=[])
    files = [figure.name for figure in figures.figures_of(own.experiment, own.rows, [])]
    assert len({name.lower() for name in files}) == len(files)
    cycles = [name for name in files if name.endswith("cycles") or "cycles_" in name]
    assert cycles == [
        "40x24_PEs_a_b_cycles",
        "40x24_PEs_a_b_cycles_2",
        "40x24_PEs_A_B_cycles_3",
        "40x24_PEs_a_b_2_cycles",
    ]
    captions = [figure.caption for figure in figures.figures_of(own.experiment, own.rows, [])]
    assert len(set(captions)) == len(files)


def test_areas_are_compared_for_the_same_work(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of a larger batch is no slower design: cycles are over the batch where that is swept."""
    drawn: list[Any] = []
    monkeypatch.setattr(
        figures.plots, "pareto", lambda given, _path, _title, quantities, **_: drawn.append((quantities, given)) or []
    )
    figure = next(each for each in figures.figures_of(found.experiment, found.rows, []) if each.name.endswith("pareto"))
    figure.draw(tmp_path / "x", SCREEN)
    ((quantities, given),) = drawn
    assert [quantity.label for quantity in quantities] == ["area [mm2]", "clock cycles a row"]
    for row, point in zip(found.rows, given, strict=True):
        assert point.kind == row.point.variant
        area, cycles = point.costs
        assert area == row.values["area"]
        assert cycles == (row.values["cycles"] or 0) / int(row.point.at["batch"])


def test_the_phases_of_a_step_add_up_to_it(tmp_path: Path) -> None:
    vector = {"machine__vector_lanes": 4, "workload": {"networks": ["lenet"], "batch": 2, "vector": True}}
    own = Found(tmp_path, sweep=[], published=[], compare="step", **vector)
    cells = tables.phase_shares(own.experiment, own.rows)
    assert cells is not None
    headers, lines = cells
    assert headers == ["network", "variant", "forward", "dX", "dW", "dX+dW", "vector unit"]
    for row, line in zip(own.rows, lines, strict=True):
        shares = [float(cell.rstrip("%")) for cell in line[2:] if cell != "-"]
        assert sum(shares) == pytest.approx(100, abs=0.3)
        work = sum(part.time_cycles for part in row.summary.phases if part.phase.unit == "vector")
        assert shares[-1] == pytest.approx(100 * work / (row.values["cycles"] or 0), abs=0.06)
    assert "Share of the cycles by phase" in text_of(own, 100, brief=True)


def test_a_mean_over_networks_stands_beside_ours(tmp_path: Path) -> None:
    published = [{"mean": True, "variant": "interleaved", "quantity": "cycles", "ratio": 0.5, "source": "a paper"}]
    own = Found(tmp_path, workload={"layers": [[40, 24], [9, 5]], "batch": 6}, published=published)
    assert [each.network for each in own.comparisons] == ["mean of 2 networks, batch 2", "mean of 2 networks, batch 16"]
    for batch, each in zip(("2", "16"), own.comparisons, strict=True):
        ratios = [
            row.ratios["cycles"] or 0
            for row in own.rows
            if (row.point.variant, row.point.at["batch"]) == ("interleaved", batch)
        ]
        assert each.ours == pytest.approx(sum(ratios) / 2)


def test_what_is_the_same_everywhere_is_left_out_on_a_screen(tmp_path: Path) -> None:
    variants = [{"name": "WS", "schedule": "ws_only"}, {"name": "again", "schedule": "ws_only"}]
    own = Found(tmp_path, variant=variants, published=[])
    brief, _ = tables.results(own.experiment, own.rows, brief=True)
    whole, _ = tables.results(own.experiment, own.rows)
    assert brief == ["network", "batch", "variant", "cycles", "ratio", "busy\nPEs"]
    assert "array" in whole
    assert "area\n[mm2]" in whole
    assert "Backward pass on 8x4 PEs" in text_of(own, 100, brief=True)
