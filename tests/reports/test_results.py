"""Results beside each other: pairs, ratios, and where two curves part."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.reports.results import Comparison, Figure, Results, ratio

ONE = Results(
    Path("one"),
    {"train.epochs": 3, "train.seed": 0, "model.name": "mlp"},
    {
        "test_loss": {1: 2.0, 2: 1.0, 3: 1.5},
        "test_accuracy": {1: 0.25, 2: 0.75, 3: 0.75},
        "cycles": {1: 5, 2: 10, 3: 15},
    },
    {Figure("", "forward", "cycles"): 8, Figure("head", "forward", "cycles"): 8},
)
OTHER = Results(
    Path("other"),
    {"train.epochs": 2, "train.seed": 0, "model.hidden": [4]},
    {"test_loss": {1: 2.0, 2: None}, "test_accuracy": {1: 0.25, 2: 0.75}, "cycles": {1: 5, 2: 10}},
    {Figure("", "forward", "cycles"): 4, Figure("tail", "forward", "cycles"): 4},
)


def test_settings_that_differ_are_pairs() -> None:
    assert Comparison(ONE, OTHER).settings == {
        "train.epochs": (3, 2),
        "model.name": ("mlp", None),
        "model.hidden": (None, [4]),
    }


def test_curves_end_are_best_and_part() -> None:
    curves = Comparison(ONE, OTHER).curves
    assert curves["test_loss"] == ((1.5, None), ((2, 1.0), (1, 2.0)), 2, (3, 2))
    assert curves["test_accuracy"] == ((0.75, 0.75), ((2, 0.75), (2, 0.75)), 3, (3, 2))
    assert curves["cycles"] == ((15, 10), (None, None), 3, (3, 2))
    assert Comparison(ONE, ONE).curves["test_loss"].parting is None


def test_a_curve_of_one_alone_parts_at_its_begin() -> None:
    without = Results(OTHER.folder, {}, {}, {})
    assert Comparison(ONE, without).curves["test_loss"] == ((1.5, None), ((2, 1.0), None), 1, (3, 0))


def test_figures_of_both_and_of_one_alone() -> None:
    figures = Comparison(ONE, OTHER).figures
    assert figures == {
        Figure("", "forward", "cycles"): (8, 4),
        Figure("head", "forward", "cycles"): (8, None),
        Figure("tail", "forward", "cycles"): (None, 4),
    }
    assert [ratio(pair) for pair in figures.values()] == [0.5, None, None]
    assert ratio((0, 4)) is None


@pytest.mark.parametrize("change", ["settings", "curves", "figures"])
def test_equal_is_all_of_it(change: str) -> None:
    assert Comparison(ONE, Results(Path("copy"), ONE.settings, ONE.curves, ONE.figures)).is_equal
    changed = {"settings": ONE.settings, "curves": ONE.curves, "figures": ONE.figures, change: getattr(OTHER, change)}
    assert not Comparison(ONE, Results(Path("copy"), **changed)).is_equal
