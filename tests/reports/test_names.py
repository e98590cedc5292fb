"""Names come out as they were written, in every medium: the terminal, figures, HTML, CSV, JSON and YAML."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from matplotlib import font_manager
from matplotlib.text import Text
from rich.console import Console, RenderableType

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.cli import main
from jaxgrad.costs import StepCost, step_cost
from jaxgrad.hardware import Accelerator
from jaxgrad.programs import LayerGemm
from jaxgrad.reports import figures, plots, schedules, screen, tables
from jaxgrad.reports import html as pages
from jaxgrad.reports.pages import Page, families
from jaxgrad.reports.timeline import animation
from jaxgrad.studies import compare, points, report, runner, schema
from jaxgrad.studies.store import Store
from tests.studies.cases import tree

NAMES = ("WS [fp32]", "WS [bf16]", "[/x]", "$x^", ":smile:", "_hidden", "<b>&amp;</b>", 'a, "b"', "50 % \\alpha {}")


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is written in the figures that are saved; drawn as for a file, which is left empty."""
    found: list[str] = []

    def keep(figure: Page, path: Path, **_: object) -> None:
        path.touch()
        figure.draw_without_rendering()
        every = figure.findobj(Text)
        assert not any(text.get_parse_math() for text in every)  # pyright: ignore[reportAttributeAccessIssue]  # texts all
        found.extend(text.get_text() for text in every)  # pyright: ignore[reportAttributeAccessIssue]

    monkeypatch.setattr(Page, "savefig", keep)
    return found


def on_any_console(shown: RenderableType, width: int = 100) -> str:
    """As rich shows it where nothing was done about markup, emoji and numbers."""
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def costed() -> StepCost:
    layers = [LayerGemm(name, Gemm(8, 9, 10), 1, needs_dx=True) for name in NAMES]
    return step_cost(layers, Emulation(Accelerator(4, 4)), ("interleaved", "ws_only"))


def said_by_page(path: Path) -> tuple[list[str], list[str]]:
    """The texts of an HTML file, and what stands for its pictures."""
    said: list[str] = []
    alternatives: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            said.append(data.strip())

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            alternatives.extend(value or "" for name, value in attrs if name == "alt")

    Reader().feed(path.read_text(encoding="utf-8"))
    return said, alternatives


def test_layers_on_the_terminal() -> None:
    cost = costed()
    for table in (
        tables.summary_table(cost, "interleaved", "of [/x] and $x^ :smile:"),
        tables.accesses_table(cost, "interleaved", "of [/x] and $x^ :smile:"),
    ):
        text = on_any_console(table)
        assert all(name in text for name in NAMES), text
        assert "of [/x] and $x^ :smile:" in text
    arguments = {"measured": False, "of": "one call of [/x]", "layers_in": "[bold]"}
    shown = schedules.report(cost, "interleaved", Accelerator(4, 4), **arguments)
    text = on_any_console(shown)
    assert "one call of [/x]" in text
    assert "one by one are in [bold]." in text.replace("\n", " ")


def test_lines_on_the_terminal() -> None:
    console = screen.console(file=io.StringIO(), width=200)
    for name in NAMES:
        console.print(f"{name}: 12 points")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [f"{name}: 12 points" for name in NAMES]


def test_layers_in_figures(tmp_path: Path, texts: list[str]) -> None:
    figures.cycles_by_layer(costed(), tmp_path / "cycles", "[/x] $x^ and _y")
    assert {*NAMES, "[/x] $x^ and _y"} <= set(texts)


def test_labels_in_figures(tmp_path: Path, texts: list[str]) -> None:
    lines = {name: [(1.0, 2.0), (2.0, 1.0)] for name in NAMES}
    plots.sweep(lines, tmp_path / "sweep", "$x^", x_label="batch $ [rows]", y_label="$_{")
    assert {*NAMES, "$x^", "batch $ [rows]", "$_{"} <= set(texts)
    texts.clear()
    plots.descents({name: [[2.0, 1.0]] for name in NAMES}, {}, tmp_path / "descents", "$x^", y_label="$_{")
    assert {*NAMES, "$x^", "$_{"} <= set(texts)


def test_a_figure_is_written_with_them(tmp_path: Path) -> None:
    files = plots.sweep({"$x^": [(1.0, 2.0)]}, tmp_path / "sweep", "$", x_label="$", y_label="$")
    assert all(path.stat().st_size for path in files)


def test_pages(tmp_path: Path) -> None:
    sections = [pages.Section(name, paragraphs=[name], tables=[pages.Table([name], [[name]], name)]) for name in NAMES]
    said, _ = said_by_page(pages.write(tmp_path / "page.html", NAMES[6], sections))
    for name in NAMES:  # the contents, the heading, a paragraph, a caption, a header and a cell
        assert said.count(name) >= 6
    animated = animation.write([], tmp_path / "animation.html", "</script><b>").read_text(encoding="utf-8")
    data = animated.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["title"] == "</script><b>"


def test_an_experiment_s_whole_report(tmp_path: Path, texts: list[str]) -> None:
    variants = [{"name": name, "schedule": schedule} for name, schedule in zip(NAMES, ["ws_only", "os_only"] * 5)]  # noqa: B905  # as many as there are names
    title = "A title\nof $x^ [/x]"
    changes = {
        "title": title, "baseline": NAMES[2], "variant": variants, "question": "[/x]?", "notes": ["[/y] :smile:"],
        "sweep": [{"name": "batch [/rows] $", "keys": ["workload.batch"], "values": [2, 4]}],
        "published": [
            {"variant": NAMES[3], "quantity": "cycles", "ratio": 0.5, "source": "[/z]", "at": {"batch [/rows] $": "2"}}
        ],
    }  # fmt: skip
    experiment = schema.check(tree(**changes), "small.toml")
    wanted = points.expand(experiment, Path("small.toml"))
    results = [(point, summary) for point, summary, _ in runner.run(wanted, Store(tmp_path / "store"))]
    rows = compare.rows(experiment, results)
    comparisons = compare.published(experiment, rows)
    report.write(tmp_path, experiment, rows, comparisons)
    for name in ("results.csv", "layers.csv"):
        lines = list(csv.DictReader(io.StringIO((tmp_path / name).read_text(encoding="utf-8"), newline="")))
        assert {line["variant"] for line in lines} == set(NAMES)
        assert {line["batch [/rows] $"] for line in lines} == {"2", "4"}
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {point["variant"] for point in data["points"]} == set(NAMES)
    shown = (tmp_path / "tables.txt").read_text(encoding="utf-8")
    assert all(name in shown for name in (*NAMES, "[/x]?", "[/y] :smile:", "[/z]", "batch [/rows] $"))
    said, alternatives = said_by_page(tmp_path / "report.html")
    assert {*NAMES, "[/x]?", "[/y] :smile:", "batch [/rows] $"} <= set(said)
    assert any(NAMES[2] in alternative for alternative in alternatives)
    assert set(NAMES) <= set(texts)
    for path in (tmp_path / "accelergy").iterdir():
        assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) <= {"ERT", "ART"}


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.toml").write_text(
        'title = "[/x] $ :smile:"\n[workload]\nlayers = [[4, 3]]\nbatch = [2]\n'
        '[space]\nrows = [2]\ncols = [2]\nschedule = ["ws_only"]\n'
    )
    assert main(["sweep", "space.toml"]) == 0
    assert capsys.readouterr().out.lstrip().startswith("[/x] $ :smile:: 1 points\n")
    (tmp_path / "array.cfg").write_text(CFG)
    (tmp_path / "layers.csv").write_text("Layer, M, N, K,\n[/x] $ :smile:, 4, 5, 6,\n")
    assert main(["scalesim", "-c", "array.cfg", "-t", "layers.csv", "-i", "gemm", "-p", "reports"]) == 0
    assert "[/x] $ :smile:" in capsys.readouterr().out


CFG = """[general]
run_name = [run] $
[architecture_presets]
ArrayHeight: 4
ArrayWidth: 4
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: ws
[run_presets]
InterfaceBandwidth: CALC
"""


def test_letters_that_a_font_lacks_come_from_one_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["Some Font", "Noto Sans CJK JP", "DejaVu Sans"])
    families.cache_clear()
    request.addfinalizer(families.cache_clear)
    assert families() == ("DejaVu Sans", "sans-serif", "Noto Sans CJK JP")
    figure = Page(2.0)
    figure.suptitle("[x] \u00e9 \u03a9")
    monkeypatch.setattr(font_manager, "get_font_names", list)
    families.cache_clear()
    figure.draw_without_rendering()
    (title,) = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    assert title.get_fontfamily() == ["DejaVu Sans", "sans-serif"]
