"""Descents: a line each, what was found, and the best there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jaxgrad.reports.plots import descents
from tests.refusals import Refusal, assert_refused


def test_a_line_a_descent_and_a_marker_a_kind(tmp_path: Path, drawn: list[Figure]) -> None:
    lines = {"interleaved": [[90.0, 30.0, 20.0], [50.0, 40.0, 21.0]], "ws_only": [[900.0, 80.0, 70.0]]}
    descents(lines, {"interleaved": 19.0}, tmp_path / "x", "a title", y_label="EDP [nJ s]", best={"ws_only": 60.0})
    axes = drawn[0].axes[0]
    first, second, found, other, best = axes.lines
    np.testing.assert_array_equal(first.get_xydata(), [(0, 90), (1, 30), (2, 20)])
    np.testing.assert_array_equal(second.get_ydata(), [50, 40, 21])
    np.testing.assert_array_equal(found.get_ydata(), [19])
    assert first.get_color() == second.get_color() == found.get_color() != other.get_color() == best.get_color()
    assert best.get_linestyle() == "--"
    np.testing.assert_array_equal(best.get_ydata(), [60, 60])
    texts = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert texts == [
        "interleaved: descents", "interleaved: found, exact", "ws_only: descents", "ws_only: best there is",
    ]  # fmt: skip
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("step", "EDP [nJ s]", "log")


def test_nothing_is_refused() -> None:
    refusal: Refusal = Refusal(lambda: descents({}, {}, Path("x"), "", y_label=""), "lines", "none", "at least one")
    assert_refused(refusal)
