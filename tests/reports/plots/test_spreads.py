"""Spreads: a row for each label, its runs, their mean and a band of one standard deviation on each side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxgrad.reports.plots import spreads
from tests.refusals import Refusal, assert_refused

VALUES = {"one": [95.0, 96.0, 97.0], "none": [], "single": [90.0]}


def test_a_row_has_its_runs_their_mean_and_deviation(tmp_path: Path, drawn: list[Figure]) -> None:
    published = {"one": 98.0}
    spreads(VALUES, tmp_path / "s", "", x_label="accuracy", published=published, nothing="diverged")
    (axes,) = drawn[0].axes
    mean, runs, star, single, _ = (np.asarray(line.get_xydata()).tolist() for line in axes.lines)
    assert (mean, runs, star) == ([[96, 0]], [[95, 0], [96, 0], [97, 0]], [[98, 0]])
    assert single == [[90, 2]]
    (band,) = (patch for patch in axes.patches if isinstance(patch, Rectangle))
    assert (band.get_x(), band.get_width()) == (pytest.approx(95), pytest.approx(2))
    assert [text.get_text() for text in axes.texts] == ["diverged"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "none", "single"]
    low, high = axes.get_xlim()
    assert low < 90
    assert high > 98


def test_nothing_to_draw_is_refused() -> None:
    call = Refusal(lambda: spreads({"a": []}, Path("x"), "", x_label=""), "values", "none", "at least one")
    assert_refused(call)
