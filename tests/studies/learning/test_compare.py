"""jaxgrad.studies.learning.compare: means over seeds, what a variant takes of a grid, and differences, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.studies.learning import schema
from jaxgrad.studies.learning.compare import Results, Spread
from jaxgrad.studies.learning.configurations import Cell
from jaxgrad.studies.learning.outcomes import Measurement, Outcome
from tests.studies.cases import write
from tests.studies.learning.cases import tree, tuned, with_settings

Ends = Mapping[Any, Sequence[tuple[float, float] | None]]
"""By cell, of each seed training loss and test accuracy at the end; None where it diverged."""


def outcome(end: tuple[float, float] | None) -> Outcome:
    if end is None:
        return Outcome(10, (Measurement(3, 9.0, 0.1, 9.0, 0.1),), (), 4, {}, None)
    loss, accuracy = end
    measured = (Measurement(3, 2 * loss, 0.5, 1.0, accuracy / 2), Measurement(10, loss, 0.9, 1.0, accuracy))
    return Outcome(10, measured, ((5, loss + 1), (10, loss)), None, {"cycles": 100}, None)


def of(folder: Path, content: dict[str, Any], ends: Ends) -> Results:
    experiment = schema.load(write(folder, content))
    return Results(experiment, {Cell(*cell): dict(enumerate(map(outcome, each))) for cell, each in ends.items()})


def test_means_and_deviations_are_of_the_seeds_that_had_not_diverged(tmp_path: Path) -> None:
    found = of(tmp_path, tree(), {("plain", "", None): [(0.1, 0.5), (0.3, 0.7), None]})
    row = found.row("plain", "")
    assert row.spread("train_loss") == (pytest.approx(0.2), pytest.approx(0.02**0.5), 2, 1)
    assert row.spread("test_accuracy") == (pytest.approx(60), pytest.approx(200**0.5), 2, 1)
    assert row.spread("train_loss", 3) == (pytest.approx((0.2 + 0.6 + 9) / 3), pytest.approx(4.9692, abs=1e-4), 3, 0)
    assert row.cycles == 100
    assert Spread.of([None, None]) == Spread(None, None, 0, 2)
    assert Spread.of([2.0]) == Spread(2.0, None, 1, 0)


def test_a_difference_is_of_the_same_seeds(tmp_path: Path) -> None:
    ends = {
        ("plain", "", None): [(0.1, 0.5), (0.3, 0.7), (0.1, 0.9)],
        ("late", "", None): [(0.1, 0.6), None, (0.1, 0.8)],
    }
    found = of(tmp_path, tree(), ends)
    assert found.row("late", "").less(found.baseline("")) == (pytest.approx(0), pytest.approx(200**0.5), 2, 1)


def test_settings_are_apart(tmp_path: Path) -> None:
    ends = {
        ("plain", "slow", None): [(0.1, 0.5)],
        ("plain", "fast", None): [(0.2, 0.6)],
        ("late", "slow", None): [(1, 0.4)],
    }
    found = of(tmp_path, with_settings(), ends)
    assert [[row.cell.variant for row in found.rows(name)] for name in ("slow", "fast")] == [
        ["plain", "late"],
        ["plain"],
    ]
    assert found.baseline("fast").spread("train_loss").mean == 0.2
    assert found.ours(found.experiment.published[0]).mean == 40


@pytest.mark.parametrize(
    ("losses", "taken", "at_edge"),
    [
        ([[3.0, 1.0], [1.0, 1.0], [2.0, 2.0]], 0.1, False),
        ([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]], 0.03, True),  # of equal ones the first
        ([[3.0, 1.0], [1.0, None], [2.0, 0.0]], 1.0, True),  # none of which a run diverged
        ([[None, 1.0], [None, None], [None, 0.0]], 0.03, True),
    ],
)
def test_the_value_with_the_least_mean_training_loss_is_taken(
    losses: list[list[float | None]], taken: float, at_edge: bool, tmp_path: Path
) -> None:
    grid = (0.03, 0.1, 1.0)
    content = {**tuned(), "tune": {"optimizer.learning_rate": list(grid)}}
    # By test accuracy another one would be better.
    ends = {
        ("plain", "", value): [None if loss is None else (loss, 0.5 + loss / 10) for loss in each]
        for value, each in zip(grid, losses, strict=True)
    }
    row = of(tmp_path, content, ends).row("plain", "")
    assert (row.cell.value, row.at_edge) == (taken, at_edge)


def test_without_a_grid_nothing_is_at_its_edge(tmp_path: Path) -> None:
    assert not of(tmp_path, tree(), {("plain", "", None): [(0.1, 0.5)]}).row("plain", "").at_edge
