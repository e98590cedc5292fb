"""Ours against measured values: each point where its two numbers say, in its label's colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from jaxgrad.reports.plots import Pair, diagonal
from tests.refusals import Refusal, assert_refused

PAIRS = {
    "time [us]": [Pair("WS", 10.0, 12.0, bar=2.0), Pair("OS", 900.0, 700.0, fitted=890.0)],
    "energy [mJ]": [Pair("WS", 3.0, 4.0)],
}


def test_points_error_bars_and_fits_are_where_they_belong(tmp_path: Path, drawn: list[Figure]) -> None:
    diagonal(PAIRS, tmp_path / "d", "a title")
    time, energy = drawn[0].axes
    assert [time.get_title(), energy.get_title()] == list(PAIRS)
    bars = [each for each in time.containers if isinstance(each, ErrorbarContainer)]
    centres = [each.lines[0].get_xydata() for each in bars]
    np.testing.assert_array_equal(np.concatenate(centres), [(10.0, 12.0), (900.0, 700.0)])
    (segment,) = bars[0].lines[2][0].get_segments()
    np.testing.assert_array_equal(segment, [(8.0, 12.0), (12.0, 12.0)])
    assert not bars[1].has_xerr or not bars[1].lines[2]
    fitted = [line for line in time.lines if line.get_markerfacecolor() == "none"]
    np.testing.assert_array_equal(fitted[0].get_xydata(), [(900.0, 890.0)])
    assert fitted[0].get_color() == bars[1].lines[0].get_color() != bars[0].lines[0].get_color()
    texts = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert texts == ["ours = measured", "within 10 %", "WS", "OS", "OS, fitted"]


def test_both_axes_have_one_scale_so_that_the_diagonal_is_one(tmp_path: Path, drawn: list[Figure]) -> None:
    diagonal(PAIRS, tmp_path / "d", "a title")
    time, energy = drawn[0].axes
    assert (time.get_xscale(), time.get_yscale(), energy.get_xscale()) == ("log", "log", "linear")
    for axes in (time, energy):
        assert axes.get_xlim() == axes.get_ylim()
        values = [value for pair in PAIRS[axes.get_title()] for value in (pair.measured, pair.ours)]
        low, high = axes.get_xlim()
        assert low < min(values) < max(values) < high


def test_equal_values_far_from_one_are_drawn(tmp_path: Path, saved: list[Figure]) -> None:
    for value in (1e-9, 1e21):
        files = diagonal({"t": [Pair("a", value, value)]}, tmp_path / "d", "a title")
        assert all(file.stat().st_size > 0 for file in files)


@pytest.mark.parametrize("panels", [{}, {"time": []}])
def test_nothing_to_draw_is_refused(panels: dict[str, list[Pair]]) -> None:
    assert_refused(Refusal(lambda: diagonal(panels, Path("x"), ""), "panels", "none", "at least one"))
