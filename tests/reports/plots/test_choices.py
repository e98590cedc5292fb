"""jaxgrad.reports.plots.choices: bars as long as the shares, in the schedules' own colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from jaxgrad.array.schedules import find
from jaxgrad.costs.shares import Share
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.plots.choices import choices
from tests.refusals import Refusal, assert_refused

NETWORKS = {
    "one": [Share("interleaved_n", 3, 100, (("n", 3),)), Share("ws_only", 1, 300, ())],
    "other": [Share("ws_only", 2, 10, ())],
}


def test_bars_are_shares_of_layers_and_of_cycles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    save = canvas.save
    monkeypatch.setattr(canvas, "save", lambda figure, *rest: (drawn.append(figure), save(figure, *rest))[1])
    files = choices(NETWORKS, tmp_path / "choices", "a title")
    assert [file.name for file in files] == ["choices.png", "choices.svg", "choices.pdf"]
    assert all(file.stat().st_size for file in files)
    (axes,) = drawn[0].axes
    containers: Any = axes.containers
    lengths = {bars.get_label(): [patch.get_width() for patch in bars.patches] for bars in containers}
    assert lengths == {"interleaved_n": [0.75, 0.25, 0, 0], "ws_only": [0.25, 0.75, 1, 1]}
    for bars in containers:
        assert to_hex(bars.patches[0].get_facecolor()).upper() == find(bars.get_label()).colour
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "one",
        "layers",
        "cycles",
        "other",
        "layers",
        "cycles",
    ]


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    assert_refused(Refusal(lambda: choices({"one": []}, tmp_path / "x", ""), "networks", "none", "at least one"))
