"""Results as values, whatever folder they were read from, and how two of one kind differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

Pair = tuple[Any, Any]
"""Of the one and of the other; None where it has no such value."""

RUN = "a training run"

Curve = Mapping[int, float | None]
"""Values by epoch; None is no number: it has diverged."""


class Figure(NamedTuple):
    """What one number is of.

    Args:
        part: a layer; empty for the whole.
        group: what it belongs to, such as a pass.
        name: of the quantity, such as ``cycles``.
    """

    part: str
    group: str
    name: str


@dataclass(frozen=True)
class Results:
    """What a folder or a file holds.

    Args:
        folder: it; or the file, where results are one.
        settings: what was asked for, by key; one that has no value is left out.
        curves: by name, what was logged.
        figures: what was counted.
    """

    folder: Path
    settings: Mapping[str, Any]
    curves: Mapping[str, Curve]
    figures: Mapping[Figure, float]


class CurvePair(NamedTuple):
    """How two curves of one quantity end, how good they got, and where they part.

    Args:
        last: value of the last epoch of each.
        best: (epoch, value) of the least loss, or of the greatest accuracy, the first such; None of another quantity.
        parting: the first epoch at which they are not equal; None if they are, or where one is longer until it ends.
        epochs: of each.
    """

    last: Pair
    best: Pair
    parting: int | None
    epochs: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """Two results of one kind beside each other.

    Args:
        one, other: the results.
        kind: what each is.
    """

    one: Results
    other: Results
    kind: str = RUN

    @cached_property
    def settings(self) -> dict[str, Pair]:
        """The keys that differ, with their values."""
        return {key: pair for key, pair in _pairs(self.one.settings, self.other.settings).items() if pair[0] != pair[1]}

    @cached_property
    def curves(self) -> dict[str, CurvePair]:
        """All curves, equal ones too."""
        return {
            name: _curve_pair(name, one or {}, other or {})
            for name, (one, other) in _pairs(self.one.curves, self.other.curves).items()
        }

    @cached_property
    def figures(self) -> dict[Figure, Pair]:
        """All figures, equal ones too."""
        return _pairs(self.one.figures, self.other.figures)

    @property
    def is_equal(self) -> bool:
        curves_differ = any(pair.parting is not None for pair in self.curves.values())
        return not self.settings and not curves_differ and all(one == other for one, other in self.figures.values())


def ratio(pair: Pair) -> float | None:
    """Of the other to the one; None where there is nothing to divide by, or one of the two is not there."""
    one, other = pair
    return other / one if one and other is not None else None


def _pairs(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[Any, Pair]:
    return {key: (one.get(key), other.get(key)) for key in {**one, **other}}


def _curve_pair(name: str, one: Curve, other: Curve) -> CurvePair:
    parting = next((epoch for epoch in sorted({*one, *other}) if not _meet(epoch, one, other)), None)
    last = tuple(curve[max(curve)] if curve else None for curve in (one, other))
    return CurvePair((last[0], last[1]), (_best(name, one), _best(name, other)), parting, (len(one), len(other)))


def _meet(epoch: int, one: Curve, other: Curve) -> bool:
    return epoch in one and epoch in other and one[epoch] == other[epoch]


def _best(name: str, curve: Curve) -> tuple[int, float] | None:
    values = {epoch: value for epoch, value in curve.items() if value is not None}
    if not values or not name.endswith(("loss", "accuracy")):
        return None
    epoch = (max if name.endswith("accuracy") else min)(values, key=values.__getitem__)
    return epoch, values[epoch]
