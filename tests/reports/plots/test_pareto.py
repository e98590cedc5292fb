"""The Pareto front is what a look at every pair finds, and each point of it is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from jaxgrad.reports.plots import Point, front, pareto
from tests.refusals import Refusal, assert_refused

POINTS = [
    Point("small", 1.0, 900, 5.0),
    Point("beaten", 2.0, 950, 9.0),
    Point("middle", 2.0, 500, 7.0),
    Point("large, $ and _", 8.0, 100, 3.0),
    Point("larger", 9.0, 100, 2.0),
]


def brute_force(points: list[Point], against: str) -> list[Point]:
    def pair(point: Point) -> tuple[float, float]:
        cost = point.cycles if against == "cycles" else point.energy_uj
        assert cost is not None
        return point.area_mm2, cost

    def beats(one: Point, other: Point) -> bool:
        (a, c), (b, d) = pair(one), pair(other)
        return a <= b and c <= d and (a, c) != (b, d)

    return [point for point in points if not any(beats(other, point) for other in points)]


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)), max_size=25),
    st.sampled_from(["cycles", "energy"]),
)
def test_the_front_is_what_no_other_beats(sizes: list[tuple[int, int, int]], against: str) -> None:
    points = [Point(str(index), *size) for index, size in enumerate(sizes)]
    found = front(points, against)
    assert set(found) == set(brute_force(points, against))
    assert len(found) == len(set(found))
    assert [point.area_mm2 for point in found] == sorted(point.area_mm2 for point in found)


def test_all_points_are_shown_and_those_of_the_front_numbered_and_listed(tmp_path: Path, drawn: list[Figure]) -> None:
    pareto(POINTS, tmp_path / "pareto", "a title")
    axes, side = drawn[0].axes
    others, best = (np.asarray(group.get_offsets()) for group in axes.collections if isinstance(group, PathCollection))
    assert best.tolist() == [[1.0, 900.0], [2.0, 500.0], [8.0, 100.0]]
    assert others.tolist() == [[2.0, 950.0], [9.0, 100.0]]
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3", "4", "5"]
    front_listed, beaten_listed = side.texts[0].get_text().split("Beaten by one of these:")
    for line in ("1  small", "2  middle", "3  large, $ and _", "2 mm², 500 cycles"):
        assert line in front_listed
    for line in ("4  beaten", "5  larger", "2 mm², 950 cycles"):
        assert line in beaten_listed
    assert axes.get_xlabel() == "area [mm²]"
    assert axes.get_ylabel() == "clock cycles"


def test_of_many_points_those_of_the_front_alone_are_named(tmp_path: Path, drawn: list[Figure]) -> None:
    many = [Point(f"beaten {index}", 3.0 + index, 950) for index in range(20)]
    pareto([*POINTS, *many], tmp_path / "pareto", "a title")
    axes, side = drawn[0].axes
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    assert "eaten" not in side.texts[0].get_text()


def test_energy_has_its_own_front_and_unit(tmp_path: Path, drawn: list[Figure]) -> None:
    pareto(POINTS, tmp_path / "pareto", "a title", against="energy")
    axes, side = drawn[0].axes
    best = np.asarray(axes.collections[1].get_offsets())
    assert best.tolist() == [[1.0, 5.0], [8.0, 3.0], [9.0, 2.0]]
    assert axes.get_ylabel() == "energy [uJ]"
    assert "9 mm², 2 uJ" in side.texts[0].get_text()


def test_numbers_of_near_points_stand_apart(tmp_path: Path, drawn: list[Figure]) -> None:
    points = [Point(f"p{index}", 10 + 0.02 * index, 1000 - 2 * index) for index in range(12)]
    pareto([*points, Point("far", 50, 900)], tmp_path / "pareto", "a title")
    axes = drawn[0].axes[0]
    numbers = [text for text in axes.texts if isinstance(text, Annotation)]
    places = [axes.transData.transform(text.xy) * 72 / drawn[0].dpi + text.get_position() for text in numbers]
    assert len(places) == 13
    gaps = [np.hypot(*(a - b)) for index, a in enumerate(places) for b in places[:index]]
    assert min(gaps) >= 7


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: pareto([], Path("x"), ""), "points", "none", "at least one"),
        Refusal(lambda: pareto(POINTS, Path("x"), "", against="time"), "against", "'time'", "cycles"),
        Refusal(
            lambda: pareto([*POINTS, Point("bare", 1, 1)], Path("x"), "", against="energy"),
            "points",
            "'bare'",
            "cycles",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(refusal: Refusal) -> None:
    assert_refused(refusal)
