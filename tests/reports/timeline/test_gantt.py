"""The schedule Gantt: bars where the activities are, a note where tiles are left out, texts apart."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array.choice import backward_mappings
from jaxgrad.array.schedules import SCHEDULES
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.timeline import gantt
from jaxgrad.reports.timeline.activities import activities

SMALL = Gemm(4, 6, 6), Accelerator(3, 3)
LARGE = Gemm(640, 1280, 960), Accelerator(16, 16, True)
BOTH = ("interleaved", "sequential")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved."""
    kept: list[Figure] = []

    def keep(figure: Page, path: Path, title: str) -> list[Path]:
        canvas.entitle(figure, title)
        kept.append(figure)
        return [path]

    monkeypatch.setattr(canvas, "save", keep)
    return kept


def bars(figure: Figure, panel: int) -> set[tuple[str, float, float, float]]:
    """Colour, first and last cycle, and height of each bar."""
    found = set()
    for bar in figure.axes[panel].collections:
        assert isinstance(bar, PolyCollection)
        box = bar.get_paths()[0].get_extents()
        colour = to_hex(bar.get_facecolor()[0]).upper()  # type: ignore[index] # an array of colours
        found.add((colour, box.x0, box.x1, round(box.height, 3)))
    return found


def test_bars_lie_where_the_activities_do(tmp_path: Path, drawn: list[Figure]) -> None:
    gantt.gantt(BOTH, Gemm(4, 2, 3), Accelerator(3, 2), tmp_path / "gantt", "a title")
    load, dx, dw, wavefront, drain = "#56B4E9", "#0072B2", "#E69F00", "#DDDDDD", "#009E73"
    assert bars(drawn[0], 0) == {
        (load, 0, 3, 0.8), (dx, 3, 10, 0.4), (dw, 4, 11, 0.4), (wavefront, 11, 14, 0.8), (drain, 14, 17, 0.8)
    }  # fmt: skip
    assert bars(drawn[0], 1) == {
        (load, 0, 3, 0.8), (dx, 3, 7, 0.8), (wavefront, 7, 10, 0.8),
        (dw, 10, 14, 0.8), (wavefront, 14, 17, 0.8), (drain, 17, 20, 0.8),
    }  # fmt: skip
    assert drawn[0].axes[0].get_xlim() == drawn[0].axes[1].get_xlim()


def test_png_and_svg(tmp_path: Path) -> None:
    gantt.gantt(BOTH, *SMALL, tmp_path / "gantt", "a title")
    with Image.open(tmp_path / "gantt.png") as image:
        assert image.format == "PNG"
        assert image.width == 2400
    assert "<svg" in (tmp_path / "gantt.svg").read_text(encoding="utf-8")


def test_runs_of_many_tiles_are_whole_in_the_overview_and_the_panels_have_one_time_axis(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    for size in (SMALL, LARGE):
        gantt.gantt(BOTH, *size, tmp_path / "gantt", "a title")
    assert drawn[0].get_suptitle() == "a title"
    assert len(drawn[0].axes) == 2
    overview, *panels = drawn[1].axes
    cycles = [count(*LARGE, schedule).as_dict()["cycles"] for schedule in BOTH]
    # Both gradients of interleaved from its first cycle to its last; of sequential one after the other.
    dx, dw = "#0072B2", "#E69F00"
    half = cycles[1] - 4800 * 640 - 46
    assert bars(drawn[1], 0) == {
        (dx, 0, cycles[0], 0.4), (dw, 0, cycles[0], 0.4), (dx, 0, half, 0.8), (dw, half, cycles[1], 0.8)
    }  # fmt: skip
    assert overview.get_xlim()[1] >= max(cycles)
    (end,) = {axes.get_xlim() for axes in panels}
    assert end[0] == 0
    assert f"the first {end[1]:,.0f} cycles of each" in drawn[1].get_suptitle()
    assert "4,800 tiles of dX, then 4,800 tiles of dW" in panels[1].get_title("left")


def test_what_a_panel_shows_of_a_longer_run_is_all_that_happens_in_its_cycles(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    """As many cycles of a run of large tiles as of one of small tiles."""
    gemm, array = Gemm(7, 40, 20), Accelerator(2, 4, True)
    schedules = ("ws_only", "interleaved")
    gantt.gantt(schedules, gemm, array, tmp_path / "gantt", "a title")
    colours = {"load": "#56B4E9", "dx": "#0072B2", "dw": "#E69F00", "wavefront": "#DDDDDD", "drain": "#009E73"}
    for panel, schedule in enumerate(schedules, 1):
        _, end = drawn[0].axes[panel].get_xlim()
        expected = {
            (colours[key], one.start, one.stop)
            for one in activities(backward_mappings(schedule, gemm, array), gemm, array)
            if one.start < end and (key := one.what if one.kind in ("stream", "stall") else one.kind) in colours
        }
        assert {bar[:3] for bar in bars(drawn[0], panel)} == expected


@pytest.mark.parametrize("size", [SMALL, LARGE, (Gemm(1, 1, 1), Accelerator(1, 1))])
@pytest.mark.parametrize("schedules", [("ws",), BOTH, SCHEDULES])
def test_no_text_runs_into_another_or_off_the_page(
    tmp_path: Path, drawn: list[Figure], size: tuple[Gemm, Accelerator], schedules: tuple[str, ...]
) -> None:
    gantt.gantt(schedules, *size, tmp_path / "gantt", "a title")
    figure = drawn[0]
    agg = FigureCanvasAgg(figure)
    agg.draw()
    renderer = agg.get_renderer()
    hidden: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = axis.get_major_ticks()
            hidden |= {t for tick in ticks for t in (tick.label1, tick.label2) if not low <= tick.get_loc() <= high}
    texts = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_visible() and t.get_text()]
    boxes = [t.get_window_extent(renderer) for t in texts if t not in hidden]
    page = figure.bbox
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
