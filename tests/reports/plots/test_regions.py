"""The figure of where each schedule wins, and the page that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxgrad import Accelerator, Machine, Memory, Precision, load_technology
from jaxgrad.array.schedules import TRAINING_SCHEDULES, find
from jaxgrad.costs import regions as costs
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.plots.regions import SHARES, fastest
from jaxgrad.reports.style import FigureStyle
from tests.command import ROOT

ARRAY = Accelerator(8, 8)
TECHNICAL = Machine(
    ARRAY, memory=Memory(1 << 16, 8.0), precision=Precision.of("bf16"), technology=load_technology("horowitz-45nm")
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures in place of files."""
    figures: list[Figure] = []
    monkeypatch.setattr(canvas, "save", lambda figure, path, title: figures.append(figure) or [])
    return figures


def colours(figure: Figure, row: int, column: int) -> np.ndarray:
    mesh = figure.axes[row * len(SHARES) + column].collections[0]
    return np.asarray(mesh.get_array())


def test_rows_are_kinds_of_pes_and_of_arrays(drawn: list[Figure]) -> None:
    fastest(Machine(ARRAY), Path("x"), "T", points=3)
    fastest(TECHNICAL, Path("x"), "T", points=3)
    plain, technical = drawn
    assert [axes.get_ylabel() for axes in plain.axes[:: len(SHARES)]] == [
        "serial, equal arrays\nB / R",
        "double-buffered, equal arrays\nB / R",
    ]
    assert [axes.get_ylabel().split("\n")[0] for axes in technical.axes[:: len(SHARES)]] == [
        "serial, equal arrays",
        "serial, equal area",
        "double-buffered, equal arrays",
        "double-buffered, equal area",
    ]
    assert [axes.get_title() for axes in plain.axes[: len(SHARES)]] == ["K = 1/4 C", "K = 1 C", "K = 4 C"]


def test_a_cell_has_the_colour_of_the_fastest_the_stronger_the_more_it_saves(drawn: list[Figure]) -> None:
    names = ("interleaved", "sequential")
    fastest(Machine(ARRAY), Path("x"), "T", names, points=3)
    # The last row's first panel: double-buffered, K = C / 4; B / R and N / R are 1/16, 1 and 16.
    shown = colours(drawn[0], 1, 0)
    array = Accelerator(8, 8, double_buffered=True)
    short = [int(costs.cycles(name, costs.Layers(1, 2, 8 * 16), array)) for name in names]
    strength = min(1, (1 - short[0] / short[1]) / 0.4)
    assert strength > 0.9
    blue = np.array([0x00, 0x72, 0xB2]) / 255
    assert shown[0, 2] == pytest.approx(1 - strength * (1 - blue))
    # A long stream hides its loads under either schedule.
    assert shown[2, 2].mean() > shown[0, 2].mean()


def test_all_schedules_but_choices_are_compared_unless_some_are_named(drawn: list[Figure]) -> None:
    fastest(Machine(ARRAY), Path("x"), "T", points=9)
    (legend,) = drawn[0].legends
    listed = [text.get_text() for text in legend.get_texts()]
    assert {find(name).label for name in ("interleaved", "interleaved_n")} <= set(listed)
    choices = {find(name).label for name in TRAINING_SCHEDULES if find(name).among}
    assert choices
    assert not choices & set(listed)


def test_the_code_on_the_page_draws_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/when-interleaving-pays.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "points=161" in code
    monkeypatch.chdir(tmp_path)
    exec(code.replace("points=161", "points=5"), {})
    assert {file.name for file in tmp_path.iterdir()} == {"regions.png", "regions.svg", "regions.pdf"}


def test_on_paper_schedules_are_told_apart_without_colours(drawn: list[Figure]) -> None:
    names = ("interleaved", "interleaved_n", "ws_only")
    fastest(Machine(ARRAY), Path("x"), "T", names, points=9, style=FigureStyle.of("paper"))
    (legend,) = drawn[0].legends
    hatches = [patch.get_hatch() for patch in legend.get_patches()[:-1]]
    assert len(hatches) > 1
    assert len(set(hatches)) == len(hatches)
