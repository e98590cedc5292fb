"""One assumption changed at a time: ratios are those of experiments written so, and tables say what was found."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jaxgrad.array.counts import CYCLES, READS, SRAM, Key
from jaxgrad.costs import accesses
from jaxgrad.studies import compare, figures, points, report, runner, schema, sensitivity_tables, tables
from jaxgrad.studies.compare import Row
from jaxgrad.studies.sensitivity import Sensitivity, sensitivity
from jaxgrad.studies.settings import Change
from jaxgrad.studies.store import Store
from tests.studies.cases import tree

PUBLISHED = [
    {"network": "40x24", "variant": "interleaved", "quantity": "cycles", "ratio": 0.9, "source": "a paper"},
    {"network": "9x20", "variant": "interleaved", "quantity": "accesses", "ratio": 0.8, "source": "a paper"},
    {"variant": "interleaved", "quantity": "energy", "at_most": 1.0, "source": "another"},
]
CHANGES = [
    {"name": "batch", "keys": ["workload.batch"], "values": [2, 8, 30], "note": "rows a step"},
    {"name": "dW of WS keeps", "keys": ["variant.WS.stationary"], "values": ["x", "dy"], "labels": ["X", "dY"]},
    {
        "name": "update",
        "keys": ["variant.WS.weight_update", "variant.WS.update_cycles"],
        "values": [["separate", False], ["separate", True]],
        "labels": ["hidden", "charged"],
    },
    {"name": "psum reads", "keys": ["count_psum_reads"], "values": [False], "labels": ["not counted"]},
    {"name": "compared", "keys": ["compare"], "values": ["step"]},
]
VARIANTS = [
    {"name": "WS", "schedule": "ws_only", "iso_area_with": "interleaved", "iso_area_along": "cols"},
    {"name": "interleaved", "schedule": "interleaved"},
]
WRITTEN = {"workload": {"layers": [[40, 24], [9, 20]], "batch": 6}, "variant": VARIANTS, "sweep": []}


class Found:
    """A small experiment, run."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.experiment = schema.check(tree(**(WRITTEN | changes)), "small.toml")
        wanted = points.expand(self.experiment, Path("small.toml"))
        results = [(point, summary) for point, summary, _ in runner.run(wanted, Store(folder))]
        self.rows: list[Row] = compare.rows(self.experiment, results)
        self.comparisons = compare.published(self.experiment, self.rows)

    @property
    def sensitivity(self) -> Sensitivity:
        found = sensitivity(self.experiment, self.rows)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def found(folder: Path) -> Found:
    return Found(folder, change=CHANGES, published=PUBLISHED)


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (None, {}),
        (Change("batch", "8"), {"workload": {"layers": [[40, 24], [9, 20]], "batch": 8}}),
        (Change("dW of WS keeps", "X"), {"variant": [VARIANTS[0] | {"stationary": "x"}, VARIANTS[1]]}),
        (
            Change("update", "charged"),
            {"variant": [VARIANTS[0] | {"weight_update": "separate", "update_cycles": True}, VARIANTS[1]]},
        ),
        (Change("psum reads", "not counted"), {"count_psum_reads": False}),
        (Change("compared", "step"), {"compare": "step"}),
    ],
    ids=str,
)
def test_a_changed_ratio_is_that_of_an_experiment_written_so(
    found: Found, folder: Path, change: Change | None, written: dict[str, Any]
) -> None:
    alone = Found(folder, published=PUBLISHED, **written)
    line = next(line for line in found.sensitivity.lines if line.change == change)
    assert line.ratios == tuple(each.ours for each in alone.comparisons[:2])
    base = found.sensitivity.lines[0]
    assert (line.ratios == base.ratios) is (change is None)


def test_only_what_is_as_written_stands_beside_the_published_figures_and_in_the_results(found: Found) -> None:
    assert len(found.comparisons) == 4
    assert len(compare.unchanged(found.rows)) == 4
    assert len(found.rows) == 4 * 10


def test_psum_reads_are_in_accesses_or_not(found: Found) -> None:
    counted, without = (
        next(row for row in found.rows if row.point.change == change and row.point.variant == "WS")
        for change in (None, Change("psum reads", "not counted"))
    )
    reads = counted.summary.select("backward").counts[Key(SRAM, "psum", READS)]
    assert reads > 0
    assert counted.values["accesses"] == accesses(counted.summary.select("backward").counts)
    assert without.values["accesses"] == (counted.values["accesses"] or 0) - reads
    assert {name: without.values[name] for name in ("cycles", "energy", "dram_bytes")} == {
        name: counted.values[name] for name in ("cycles", "energy", "dram_bytes")
    }


def test_an_update_s_own_cycles_are_charged_where_that_is_said(found: Found) -> None:
    """On 40x24 with 8 rows and 4 columns 3 x 10 tiles of 8 cycles."""
    hidden, charged = (
        next(row for row in found.rows if row.point.change == Change("update", label) and row.point.variant == "WS")
        for label in ("hidden", "charged")
    )
    update = [row.summary.select("update").counts[CYCLES] for row in (hidden, charged)]
    assert update == [0, 240]


def test_what_decides_a_result_is_in_its_address(found: Found, tmp_path: Path) -> None:
    """Those points of WS on a layer have one address that are of the same training step."""
    store = Store(tmp_path)
    own = [row.point for row in found.rows if row.point.variant == "WS" and row.point.network == "9x20"]
    addresses = {str(point.change): store.path("points", point.spec) for point in own}
    same = {name for name, path in addresses.items() if path == addresses["None"]}
    assert same == {"None", "psum reads: not counted", "compared: step"}
    assert len(set(addresses.values())) == len(addresses) - 2


def test_deviations_and_series(found: Found) -> None:
    own = found.sensitivity
    assert [figure.published for figure in own.figures] == [0.9, 0.8]
    first, second = own.lines[0].ratios
    assert first is not None and second is not None  # noqa: PT018  # for the types
    assert own.deviation(own.lines[0]) == pytest.approx(max(abs(first - 0.9), abs(second - 0.8)))
    assert {name: [line.label for line in lines] for name, lines in own.series.items()} == {
        "batch": ["batch: 2", "batch: 8", "batch: 30"]
    }
    assert own.lines[0].arrays == ("8x4", "8x4")  # half a column more would fit


def test_without_published_figures_every_variant_is_compared(folder: Path) -> None:
    own = Found(folder, change=CHANGES[:1], published=[]).sensitivity
    assert [(figure.network, figure.quantity) for figure in own.figures] == [
        (network, quantity)
        for network in ("40x24", "9x20")
        for quantity in ("cycles", "accesses", "dram_bytes", "energy", "area")
    ]
    assert sensitivity_tables.said(own) == []
    assert sensitivity_tables.whole(own)[1][0][0] == "as written"
    assert sensitivity(Found(folder, published=[]).experiment, []) is None


def test_the_table_has_every_ratio_and_the_texts_say_which_are_near(found: Found) -> None:
    own = found.sensitivity
    headers, cells = sensitivity_tables.whole(own)
    assert headers[:2] == ["assumption", "arrays of\ninterleaved / WS"]
    assert headers[2:] == ["40x24\ncycles", "9x20\naccesses", "farthest\n[points]"]
    assert cells[0] == ["published", "", "0.900", "0.800", ""]
    assert [line[0] for line in cells[1:]] == [line.label for line in own.lines]
    for line, row in zip(own.lines, cells[1:], strict=True):
        assert row[2:] == [*(f"{ratio:.3f}" for ratio in line.ratios), f"{100 * (own.deviation(line) or 0):.1f}"]
    written, near, far, through = sensitivity_tables.said(own)
    base = float(cells[1][-1])
    assert written == f"As written, ours is {base:.1f} points or less away from 2 published figures."
    least, most = (extreme(cells[2:5], key=lambda row: float(row[-1])) for extreme in (min, max))
    assert f"from {least[0]} ({least[-1]}) to {most[0]} ({most[-1]})" in through
    assert least[0].startswith("batch: ")
    for row in cells[5:]:
        assert f"{row[0]} ({row[-1]})" in (near if float(row[-1]) <= base else far)


def test_a_terminal_of_80_columns_shows_a_table_a_network(found: Found) -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(tables.screen(found.experiment, found.rows, found.comparisons))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    for network in ("40x24", "9x20"):
        assert f"{network}, one assumption changed at a time: interleaved over WS" in " ".join(text.split())
    charged = next(line for line in found.sensitivity.lines if line.label == "update: charged")
    shown = [line.split()[2:] for line in text.splitlines() if line.startswith(f" {charged.label} ")]
    assert [row[0] for row in shown] == [f"{ratio:.3f}" for ratio in charged.ratios if ratio]


def test_files_have_every_change(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_figures = [figure for figure in figures.figures_of(found.experiment, found.rows, []) if "sens" in figure.name]
    monkeypatch.setattr(report, "figures_of", lambda *_: own_figures)  # the others take long
    files = {path.name for path in report.write(tmp_path, found.experiment, found.rows, found.comparisons)}
    assert {"sensitivity.csv", "sensitivity.png", "sensitivity_batch.svg"} <= files
    lines = list(csv.DictReader(io.StringIO((tmp_path / "sensitivity.csv").read_text())))
    assert len(lines) == 2 * len(found.sensitivity.lines)
    for line, own in zip(lines[::2], found.sensitivity.lines, strict=True):
        assert (line["change"], line["value"]) == (own.change or ("", ""))
        assert float(line["ratio"]) == own.ratios[0]
        assert float(line["deviation_points"]) == pytest.approx(100 * (float(line["ratio"]) - 0.9))
    results = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert {(line["change"], line["value"]) for line in results} == {
        own.change or ("", "") for own in found.sensitivity.lines
    }
    data = json.loads((tmp_path / "results.json").read_text())
    assert data["count_psum_reads"] is True
    assert [point.get("change") for point in data["points"]] == [
        row.point.change._asdict() if row.point.change else None for row in found.rows
    ]
    page = (tmp_path / "report.html").read_text()
    assert all(text in page for text in (*sensitivity_tables.said(found.sensitivity), "batch: rows a step"))


@pytest.mark.parametrize("searched", [False, True])
def test_a_configuration_that_was_searched_for_says_so(folder: Path, searched: bool, tmp_path: Path) -> None:
    own = Found(folder, found_by_search=searched, published=PUBLISHED)
    console = Console(file=io.StringIO(), width=200)
    console.print(tables.screen(own.experiment, own.rows, own.comparisons))
    assert isinstance(console.file, io.StringIO)
    sections = report._sections(own.experiment, own.rows, own.comparisons, [], None)
    (said,) = (section.paragraphs[0] for section in sections if "Published" in section.heading)
    assert (tables.SEARCHED in console.file.getvalue()) is (tables.SEARCHED in said) is searched
    assert ("Nothing was fitted" in said) is not searched


def test_psum_reads_that_do_not_count_are_said_to(folder: Path) -> None:
    own = Found(folder, count_psum_reads=False, published=[])
    console = Console(file=io.StringIO(), width=100)
    console.print(tables.screen(own.experiment, own.rows, own.comparisons))
    assert isinstance(console.file, io.StringIO)
    assert "SRAM words without reads of partial sums" in console.file.getvalue()
    drawn = {figure.name for figure in figures.figures_of(own.experiment, own.rows, own.comparisons)}
    assert not any("sensitivity" in name for name in drawn)
