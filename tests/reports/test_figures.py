"""Figures: bars as long as the counts, texts that do not run into one another."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from jaxgrad.array import schedules
from jaxgrad.array.counts import CYCLES
from jaxgrad.costs import TRAINING_SCHEDULES, accesses
from jaxgrad.reports import figures
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from tests.reports.costs import SCHEDULES, cost

RECORDS = [
    {"epoch": 1, "train_loss": 2.0, "test_loss": 1.5, "train_accuracy": 0.5, "test_accuracy": 0.6},
    {"epoch": 2, "train_loss": None, "test_loss": 0.5, "train_accuracy": 0.9, "test_accuracy": 0.8},
]


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


def outside(axis: Axis) -> list[Text]:
    """Labels of ticks beyond the ends of an axis, which are not drawn."""
    low, high = sorted(axis.get_view_interval())
    return [
        label
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not low <= tick.get_loc() <= high
    ]


def draw_all(folder: Path, layers: int) -> list[Path]:
    return [
        *figures.training_curve(RECORDS, folder / "training", "a title"),
        *figures.cycles_by_layer(cost(layers), folder / "cycles", "a title"),
        *figures.accesses_by_kind(cost(layers), folder / "accesses", "a title"),
    ]


def lengths(axes: Axes) -> list[float]:
    return [bar.get_width() for container in axes.containers for bar in container]


def test_a_bar_is_as_long_as_its_cycles(tmp_path: Path, drawn: list[Figure]) -> None:
    costs = cost()
    figures.cycles_by_layer(costs, tmp_path / "cycles", "a title")
    sums, axes = drawn[0].axes
    assert lengths(axes) == [layer.backward[name][CYCLES] for name in SCHEDULES for layer in costs.layers]
    assert [label.get_text() for label in axes.get_yticklabels()] == [layer.path for layer in costs.layers]
    assert lengths(sums) == [costs.total(name)[CYCLES] for name in SCHEDULES]
    assert [label.get_text() for label in sums.get_yticklabels()] == ["all 3 layers"]


def test_a_deep_network_shows_its_costliest_layers_in_their_order(tmp_path: Path, drawn: list[Figure]) -> None:
    costs = cost(60)
    figures.cycles_by_layer(costs, tmp_path / "cycles", "a title")
    sums, axes = drawn[0].axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"blocks.{index}.conv" for index in range(60 - len(labels), 60)]  # later ones are larger
    assert f"the {len(labels)} costliest of 60 layers" in drawn[0].get_suptitle()
    assert [label.get_text() for label in sums.get_yticklabels()] == ["all 60 layers", f"the {60 - len(labels)} others"]
    shown = np.reshape(lengths(axes), (len(SCHEDULES), -1)).sum(axis=1)
    total, others = np.reshape(lengths(sums), (len(SCHEDULES), 2)).T
    assert total.tolist() == [costs.total(name)[CYCLES] for name in SCHEDULES]
    np.testing.assert_array_equal(others, total - shown)
    width, height = drawn[0].get_size_inches()
    assert height <= 1.5 * width


def test_one_layer_has_no_sum(tmp_path: Path, drawn: list[Figure]) -> None:
    figures.cycles_by_layer(cost(1), tmp_path / "cycles", "a title")
    assert len(drawn[0].axes) == 1


def test_a_stack_is_as_long_as_its_accesses(tmp_path: Path, drawn: list[Figure]) -> None:
    costs = cost()
    figures.accesses_by_kind(costs, tmp_path / "accesses", "a title")
    axes = drawn[0].axes[0]
    lengths = np.sum([[bar.get_width() for bar in container] for container in axes.containers], axis=0)
    assert lengths.tolist() == [accesses(costs.total(name)) for name in SCHEDULES]


def test_curves_go_through_the_records(tmp_path: Path, drawn: list[Figure]) -> None:
    figures.training_curve(RECORDS, tmp_path / "training", "a title")
    loss, accuracy = drawn[0].axes
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [2.0, np.nan])
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), [0.6, 0.8])


@pytest.mark.parametrize("layers", [1, 3, 60])
def test_no_text_runs_into_another_or_off_the_page(tmp_path: Path, drawn: list[Figure], layers: int) -> None:
    draw_all(tmp_path, layers)
    for figure in drawn:
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        unseen = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in outside(axis)}
        texts = [
            text
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and id(text) not in unseen
        ]
        boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
        page = figure.bbox
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            assert not a.overlaps(b), (one, other)
        for text, box in boxes:
            assert page.x0 <= box.x0, text
            assert box.x1 <= page.x1, text
            assert page.y0 <= box.y0, text
            assert box.y1 <= page.y1, text


def test_the_numbers_at_the_bars_are_inside_the_frame(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_all(tmp_path, 3)
    for figure in drawn[1:]:
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        for axes in figure.axes:
            assert axes.texts
            for text in axes.texts:
                assert text.get_window_extent(renderer).x1 < axes.bbox.x1, text


def test_every_schedule_has_a_colour_of_its_own() -> None:
    colours = [schedules.find(schedule).colour for schedule in TRAINING_SCHEDULES]
    assert len(set(colours)) == len(colours)
    assert len(set(figures._KIND_COLOURS.values())) == len(figures._KIND_COLOURS) == 8
