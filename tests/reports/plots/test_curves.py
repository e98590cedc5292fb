"""Curves: a line for the mean of a label's runs, a band from the least to the greatest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxgrad.reports.plots import curves
from tests.refusals import Refusal, assert_refused

RUNS = {
    "one": [[(5, 2.0), (10, 1.0), (15, 0.01)], [(5, 4.0), (10, 2.0), (15, 0.03)]],
    "other": [[(5, 2.0), (10, 1.0)], [(5, 3.0)]],
}


def points(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xydata())


def draw(path: Path, runs: dict, **options: Any) -> None:
    curves(runs, path, "a title", x_label="steps", y_label="loss", **options)


def test_the_mean_is_a_line_and_the_runs_span_a_band(tmp_path: Path, drawn: list[Figure]) -> None:
    draw(tmp_path / "c", RUNS)
    (axes,) = drawn[0].axes
    one, other = axes.lines
    np.testing.assert_allclose(points(one), [(5, 3.0), (10, 1.5), (15, 0.02)])
    np.testing.assert_allclose(points(other), [(5, 2.5)])  # as far as all of its runs go
    assert (one.get_marker(), other.get_marker()) == ("", "o")  # of one point no line is to be seen
    corners = np.asarray(axes.collections[0].get_paths()[0].vertices)
    assert {tuple(corner) for corner in corners} >= {(5, 2.0), (5, 4.0), (15, 0.01), (15, 0.03)}
    assert (axes.get_yscale(), axes.get_xscale()) == ("log", "linear")
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["one", "other"]


def test_published_points_have_their_labels_colour(tmp_path: Path, drawn: list[Figure]) -> None:
    draw(tmp_path / "c", RUNS, published={"other": [(10, 0.5)]})
    _, other, star = drawn[0].axes[0].lines
    np.testing.assert_array_equal(points(star), [(10, 0.5)])
    assert star.get_markeredgecolor() == other.get_color()


def test_a_label_looks_the_same_in_figures_that_belong_together(tmp_path: Path, drawn: list[Figure]) -> None:
    labels = [f"variant {n}" for n in range(12)]
    draw(tmp_path / "c", {labels[10]: RUNS["one"]}, labels=labels)
    draw(tmp_path / "c", dict.fromkeys(labels, RUNS["one"]), labels=labels)
    alone, among_all = drawn[0].axes[0].lines[0], drawn[1].axes[0].lines[10]
    assert (alone.get_color(), alone.get_linestyle()) == (among_all.get_color(), among_all.get_linestyle())
    assert alone.get_linestyle() == "--"


def test_many_lines_are_told_apart(tmp_path: Path, drawn: list[Figure]) -> None:
    draw(tmp_path / "c", {f"variant {n}": RUNS["one"] for n in range(30)})
    lines = drawn[0].axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 30


def test_nothing_to_draw_is_refused() -> None:
    for runs in ({}, {"one": [[]]}):
        assert_refused(Refusal(lambda runs=runs: draw(Path("x"), runs), "runs", "none", "at least one"))
