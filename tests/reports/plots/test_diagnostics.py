"""A run's measurements on one page: what each panel shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from jaxgrad.reports.plots import canvas
from jaxgrad.reports.plots.diagnostics import diagnostics
from tests.refusals import Refusal, assert_refused

COUNT = 40
LINE: dict[str, Any] = {
    "noise": 0.5, "mean_square": 0.6, "sharpness": None, "gradient_curvature": 3.0, "update_curvature": 2.0,
    "update_size": 0.1, "descent": -2.0, "rise": 1.0,
}  # fmt: skip
RECORDS = [
    {
        **LINE,
        "step": 200 * place,
        "loss": 1 + 2 * 0.8**place,
        "gradient_squared": -0.01 if place == 5 else 0.04,
        "distance_from_start": float(place),
        **({"sharpness": 7.0} if place % 10 == 0 else {}),
        **({"descent": -1.0} if place == COUNT - 1 else {}),
    }
    for place in range(COUNT)
]


@pytest.fixture
def entitled(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are made."""
    kept: list[Figure] = []
    monkeypatch.setattr(canvas, "entitle", lambda figure, title: kept.append(figure))
    return kept


def test_each_panel_shows_what_it_says(tmp_path: Path, entitled: list[Figure]) -> None:
    path, *_ = diagnostics(RECORDS, tmp_path / "diagnostics", "a title", stopped=3000)
    assert Image.open(path).size == (2400, 2160)
    loss, gradient, noise, curvature, balance, moved = entitled[0].axes
    np.testing.assert_allclose(np.asarray(loss.lines[0].get_ydata()), [record["loss"] for record in RECORDS])
    assert len(np.asarray(gradient.lines[0].get_ydata())) == COUNT - 1  # a square below 0 has no root
    np.testing.assert_allclose(np.asarray(gradient.lines[0].get_ydata()), 0.2)
    assert len(np.asarray(gradient.lines[1].get_ydata())) == COUNT  # together with others it has
    np.testing.assert_allclose(np.asarray(noise.lines[0].get_ydata()), 0.5)
    assert np.asarray(curvature.lines[0].get_xdata()).tolist() == [0, 2000, 4000, 6000]
    ratio = np.asarray(balance.lines[0].get_ydata())
    np.testing.assert_allclose(ratio[:-1], 0.5)
    assert ratio[-1] == pytest.approx(4 / 7)  # of four together: 4 of rise, 7 of descent
    assert len(np.asarray(moved.lines[0].get_ydata())) == COUNT - 1  # nothing has moved at first
    for axes in entitled[0].axes:
        assert 3000 in [np.asarray(line.get_xdata())[0] for line in axes.lines]


def test_a_single_measurement_is_drawn_and_none_is_refused(tmp_path: Path) -> None:
    assert Image.open(diagnostics(RECORDS[:1], tmp_path / "one", "a title")[0]).size == (2400, 2160)
    assert_refused(Refusal(lambda: diagnostics([], tmp_path / "none", "a title"), "records", "none", "at least one"))
