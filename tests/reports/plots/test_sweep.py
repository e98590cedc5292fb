"""Sweeps: lines through what was found, axes that suit the values, published points beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxgrad.reports.plots import sweep
from tests.refusals import Refusal, assert_refused

LABELS: Any = {"x_label": "rows [PEs]", "y_label": "time [cycles]"}


def test_lines_go_through_the_samples_in_order(tmp_path: Path, drawn: list[Figure]) -> None:
    lines = {"interleaved": [(64, 2e6), (8, 9e7), (16, 3e7)], "mine": [(8, 1e8), (64, float("nan"))]}
    sweep(lines, tmp_path / "sweep", "a title", published={"interleaved": [(16, 2e7)], "paper": [(8, 8e7)]}, **LABELS)
    axes = drawn[0].axes[0]
    ours, mine, published, paper = axes.lines
    np.testing.assert_array_equal(ours.get_xydata(), [(8, 9e7), (16, 3e7), (64, 2e6)])
    np.testing.assert_array_equal(mine.get_ydata(), [1e8, np.nan])
    np.testing.assert_array_equal(published.get_xydata(), [(16, 2e7)])
    assert (published.get_marker(), published.get_linestyle()) == ("*", "None")
    assert published.get_markeredgecolor() == ours.get_color() != mine.get_color()
    assert paper.get_markeredgecolor() == "black"
    assert ours.get_marker() != mine.get_marker()
    texts = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert texts == ["interleaved", "mine", "interleaved, published", "paper, published"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rows [PEs]", "time [cycles]")


def test_a_level_goes_from_side_to_side_and_is_in_sight(tmp_path: Path, drawn: list[Figure]) -> None:
    sweep({"mine": [(2, 1.0), (4, 1.1)]}, tmp_path / "sweep", "a title", levels={"published": 2.5}, **LABELS)
    axes = drawn[0].axes[0]
    _, level = axes.lines
    np.testing.assert_array_equal(level.get_xydata(), [(0, 2.5), (1, 2.5)])  # x in widths of the axes
    assert level.get_linestyle() == "--"
    assert axes.get_ylim()[1] > 2.5
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["mine", "published"]


@pytest.mark.parametrize(
    ("x", "y", "scales"),
    [
        ((8, 16, 64), (1.0, 1.5, 2.0), ("log", "linear")),
        ((1, 2, 3), (1.0, 100.0, 1000.0), ("linear", "log")),
        ((0, 10, 100), (0.0, 1.0, 100.0), ("linear", "linear")),
    ],
)
def test_an_axis_is_logarithmic_where_its_values_span_decades(
    x: tuple[float, ...], y: tuple[float, ...], scales: tuple[str, str], tmp_path: Path, drawn: list[Figure]
) -> None:
    sweep({"a": list(zip(x, y, strict=True))}, tmp_path / "sweep", "a title", **LABELS)
    axes = drawn[0].axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == scales
    if x[0] or scales[0] == "log":
        assert [text.get_text() for text in axes.get_xticklabels()] == [str(value) for value in x]
    if scales[1] == "linear":
        assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: sweep({}, Path("x"), "", **LABELS), "lines", "none", "at least one"),
        Refusal(lambda: sweep({"a": [(1, float("nan"))]}, Path("x"), "", **LABELS), "lines", "'a'", "leave it out"),
        Refusal(lambda: sweep({"a": []}, Path("x"), "", **LABELS), "lines", "'a'", "leave it out"),
    ],
)
def test_what_cannot_be_drawn_is_refused(refusal: Refusal) -> None:
    assert_refused(refusal)
