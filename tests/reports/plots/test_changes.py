"""Changes: a row each, a mark for each label in each panel, in the row of its change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxgrad.reports.plots import changes
from tests.refusals import Refusal, assert_refused

RATIOS = {
    "as written": {"cycles": {"net": 0.7, "other": 0.9}, "energy": {"net": 0.8}},
    "batch: 2": {"cycles": {"net": 0.75, "other": 0.95}, "energy": {"net": 0.85}},
    "batch: 8": {"cycles": {"other": 1.0}, "energy": {"net": 0.9}},
}


def first(values: Any) -> float:
    return np.asarray(values)[0]


def test_marks_stand_in_their_rows_beside_lines_of_what_is_written_and_published(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    changes(RATIOS, tmp_path / "c", "a title", published={"cycles": {"net": 0.73}})
    cycles, energy = drawn[0].axes
    net, at_net, other, at_other, published = cycles.lines
    np.testing.assert_array_equal(net.get_xdata(), [0.7, 0.75])
    np.testing.assert_array_equal(other.get_xdata(), [0.9, 0.95, 1.0])
    np.testing.assert_array_equal(np.round(np.asarray(net.get_ydata())), [0, 1])
    np.testing.assert_array_equal(np.round(np.asarray(other.get_ydata())), [0, 1, 2])
    assert first(net.get_ydata()) < first(other.get_ydata())  # marks of one ratio do not hide each other
    assert (first(at_net.get_xdata()), first(at_other.get_xdata()), first(published.get_xdata())) == (0.7, 0.9, 0.73)
    assert net.get_color() == at_net.get_color() == published.get_color() == energy.lines[0].get_color()
    assert [text.get_text() for text in cycles.get_yticklabels()] == list(RATIOS)
    assert cycles.get_ylim() == (2.5, -0.5)  # the first change at the top
    texts = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert texts == ["net", "other", "net, published"]


@pytest.mark.parametrize("ratios", [{}, {"as written": {}}, {"as written": {"cycles": {}}}])
def test_nothing_to_draw_is_refused(ratios: dict) -> None:
    assert_refused(Refusal(lambda: changes(ratios, Path("x"), ""), "ratios", "none", "at least one"))
