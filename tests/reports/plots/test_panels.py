"""Panels: a line for each label in the panel of each quantity, published values across it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxgrad.reports.plots import panels
from tests.refusals import Refusal, assert_refused

LINES = {
    "cycles": {"net": [(160, 0.7), (140, 0.8), (150, 0.75)], "other": [(140, 0.9), (150, 0.9), (160, 0.95)]},
    "energy": {"net": [(140, 0.85), (150, 0.8), (160, 0.9)]},
}


def first(values: Any) -> float:
    return np.asarray(values)[0]


def test_lines_and_published_values_of_a_label_have_its_colour(tmp_path: Path, drawn: list[Figure]) -> None:
    published = {"cycles": {"net": 0.73, "other": 0.96}, "energy": {"net": 0.82}}
    panels(LINES, tmp_path / "p", "a title", x_label="rows", y_label="ratio", published=published)
    cycles, energy = drawn[0].axes
    net, other, at_net, at_other = cycles.lines
    np.testing.assert_array_equal(net.get_xydata(), [(140, 0.8), (150, 0.75), (160, 0.7)])
    assert (first(at_net.get_ydata()), first(at_other.get_ydata())) == (0.73, 0.96)
    assert at_net.get_color() == net.get_color() == energy.lines[0].get_color() != other.get_color()
    assert other.get_color() == at_other.get_color()
    assert (net.get_marker(), other.get_marker()) == (energy.lines[0].get_marker(), "s")
    assert [axes.get_title() for axes in drawn[0].axes] == ["cycles", "energy"]
    assert [axes.get_xlabel() for axes in drawn[0].axes] == ["rows", "rows"]
    texts = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert texts == ["net", "other", "net, published", "other, published"]


def test_more_panels_than_fit_a_row_go_below_and_none_is_empty(tmp_path: Path, drawn: list[Figure]) -> None:
    panels(dict.fromkeys("abcd", LINES["energy"]), tmp_path / "p", "", x_label="rows", y_label="ratio")
    assert [axes.get_title() for axes in drawn[0].axes] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("lines", [{}, {"cycles": {}}])
def test_nothing_to_draw_is_refused(lines: dict) -> None:
    call = Refusal(lambda: panels(lines, Path("x"), "", x_label="", y_label=""), "lines", "none", "at least one")
    assert_refused(call)
