"""Descents: a line each, what was found, and the best there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jaxgrad.reports.plots import descents
from tests.refusals import Refusal, assert_refused


def test_a_panel_a_kind_and_a_line_a_descent(tmp_path: Path, drawn: list[Figure]) -> None:
    lines = {"interleaved": [[90.0, 30.0, 20.0], [50.0, 40.0, 21.0]], "ws_only": [[900.0, 80.0, 70.0]]}
    descents(lines, {"interleaved": 19.0}, tmp_path / "x", "a title", y_label="EDP [nJ s]", best={"ws_only": 60.0})
    own, other = drawn[0].axes
    first, second, found = own.lines
    np.testing.assert_array_equal(first.get_xydata(), [(0, 90), (1, 30), (2, 20)])
    np.testing.assert_array_equal(second.get_ydata(), [50, 40, 21])
    np.testing.assert_array_equal(found.get_ydata(), [19])
    descent, best = other.lines
    assert first.get_color() == second.get_color() != descent.get_color()
    assert best.get_linestyle() == "--"
    np.testing.assert_array_equal(best.get_ydata(), [60, 60])
    texts = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert texts == ["descents", "best design found (exact cost)", "optimum of the design space (exact cost)"]
    assert [axes.get_title() for axes in (own, other)] == ["interleaved", "ws_only"]
    assert (other.get_xlabel(), drawn[0].get_supylabel()) == ("step", "EDP [nJ s]")
    assert own.get_yscale() == other.get_yscale() == "log"


def test_seven_kinds_have_a_panel_each(tmp_path: Path, drawn: list[Figure]) -> None:
    descents({f"kind {index}": [[2.0, 1.0]] for index in range(7)}, {}, tmp_path / "x", "a title", y_label="cycles")
    assert [axes.get_title() for axes in drawn[0].axes if axes.get_visible()] == [f"kind {index}" for index in range(7)]


def test_nothing_is_refused() -> None:
    refusal: Refusal = Refusal(lambda: descents({}, {}, Path("x"), "", y_label=""), "lines", "none", "at least one")
    assert_refused(refusal)
