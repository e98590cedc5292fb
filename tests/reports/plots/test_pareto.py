"""The Pareto-optimal designs stand out, and each of them is named; tests/designs holds which they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from jaxgrad.reports import style
from jaxgrad.reports.numbers import Unit
from jaxgrad.reports.plots import Point, pareto
from jaxgrad.reports.quantities import Quantity
from tests.refusals import Refusal, assert_refused

AREA, CYCLES = Quantity("area", Unit("mm2", 1.0)), Quantity("clock cycles", Unit("cycles", 1.0))
ENERGY = Quantity("energy", Unit("uJ", 1e6))
POINTS = [
    Point("small", (1.0, 900.0)),
    Point("beaten", (2.0, 950.0)),
    Point("middle", (2.0, 500.0)),
    Point("large, $ and _", (8.0, 100.0)),
    Point("larger", (9.0, 100.0)),
]


def priced(energies_uj: tuple[float, ...] = (5.0, 9.0, 7.0, 3.0, 2.0)) -> list[Point]:
    """The same with an energy as well, in pJ."""
    return [Point(point.label, (*point.costs, 1e6 * energy)) for point, energy in zip(POINTS, energies_uj, strict=True)]


def test_all_points_are_shown_and_those_of_the_front_numbered_and_listed(tmp_path: Path, drawn: list[Figure]) -> None:
    pareto(POINTS, tmp_path / "pareto", "a title", (AREA, CYCLES))
    axes, side = drawn[0].axes
    others, best = (np.asarray(group.get_offsets()) for group in axes.collections if isinstance(group, PathCollection))
    assert best.tolist() == [[1.0, 900.0], [2.0, 500.0], [8.0, 100.0]]
    assert others.tolist() == [[2.0, 950.0], [9.0, 100.0]]
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3", "4", "5"]
    front_listed, beaten_listed = side.texts[0].get_text().split("Dominated by one of these:")
    for line in ("1  small", "2  middle", "3  large, $ and _", "2 mm2, 500 cycles"):
        assert line in front_listed
    for line in ("4  beaten", "5  larger", "2 mm2, 950 cycles"):
        assert line in beaten_listed
    assert axes.get_xlabel() == "area [mm2]"
    assert axes.get_ylabel() == "clock cycles"


def test_of_many_points_those_of_the_front_alone_are_named(tmp_path: Path, drawn: list[Figure]) -> None:
    many = [Point(f"beaten {index}", (3.0 + index, 950)) for index in range(20)]
    pareto([*POINTS, *many], tmp_path / "pareto", "a title", (AREA, CYCLES))
    axes, side = drawn[0].axes
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    assert "eaten" not in side.texts[0].get_text()


def test_any_two_quantities_stand_against_each_other(tmp_path: Path, drawn: list[Figure]) -> None:
    points = [Point(point.label, (point.costs[0], point.costs[2])) for point in priced()]
    pareto(points, tmp_path / "pareto", "a title", (AREA, ENERGY))
    axes, side = drawn[0].axes
    best = np.asarray(axes.collections[1].get_offsets())
    assert best.tolist() == [[1.0, 5.0], [8.0, 3.0], [9.0, 2.0]]
    assert axes.get_ylabel() == "energy [uJ]"
    assert "9 mm2, 2 uJ" in side.texts[0].get_text()
    assert len(axes.lines) == 1


def test_of_three_quantities_all_decide_what_is_optimal(tmp_path: Path, drawn: list[Figure]) -> None:
    pareto(priced(), tmp_path / "pareto", "a title", (AREA, CYCLES, ENERGY))
    axes, side = drawn[0].axes
    best = np.asarray(axes.collections[1].get_offsets())
    # "larger" is beaten by "large" in area and cycles, and takes less energy.
    assert best.tolist() == [[1.0, 900.0], [2.0, 500.0], [8.0, 100.0], [9.0, 100.0]]
    assert "9 mm2, 100 cycles, 2 uJ" in side.texts[0].get_text()
    assert not axes.lines


def test_numbers_of_near_points_stand_apart(tmp_path: Path, drawn: list[Figure]) -> None:
    points = [Point(f"p{index}", (10 + 0.02 * index, 1000 - 2 * index)) for index in range(11)]
    pareto([*points, Point("far", (50, 900))], tmp_path / "pareto", "a title", (AREA, CYCLES))
    axes = drawn[0].axes[0]
    numbers = [text for text in axes.texts if isinstance(text, Annotation)]
    places = [axes.transData.transform(text.xy) * 72 / drawn[0].dpi + text.get_position() for text in numbers]
    assert len(places) == 12
    gaps = [np.hypot(*(a - b)) for index, a in enumerate(places) for b in places[:index]]
    assert min(gaps) >= 7


def test_of_a_long_front_ten_designs_are_named_the_best_of_each_objective_among_them(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    front = [Point(f"design {n}", (1.0 + n, 1e6 / (1 + n), 1e6 * (50 - n) ** 2 + 1)) for n in range(96)]
    for quantities in ((AREA, CYCLES), (AREA, CYCLES, ENERGY)):
        points = [point._replace(costs=point.costs[: len(quantities)]) for point in front]
        pareto(points, tmp_path / "pareto", "a title", quantities)
        axes, side = drawn[-1].axes
        assert [text.get_text() for text in axes.texts] == [str(number) for number in range(1, 11)]
        listed = side.texts[0].get_text().splitlines()
        assert listed[0] == "Pareto-optimal (10 of 96):"
        for line in ("1  design 0", "10  design 95", *(["design 50"] if len(quantities) == 3 else [])):
            assert any(line in entry for entry in listed), line
        width, height = drawn[-1].get_size_inches()
        assert 0.5 <= height / width <= 1


def test_designs_have_the_colour_and_the_marker_of_their_kind(tmp_path: Path, drawn: list[Figure]) -> None:
    kinds = ("interleaved", "ws_only", "my [own] $")
    points = [
        Point(f"{kind} {n}", (n + 1.0, 100.0 / (n + 1) + index), kind)
        for index, kind in enumerate(kinds)
        for n in range(9)
    ]
    pareto(points, tmp_path / "pareto", "a title", (AREA, CYCLES))
    scatters = [group for group in drawn[0].axes[0].collections if isinstance(group, PathCollection)]
    groups = [group for group in scatters if np.size(group.get_offsets())]
    colours = style.colours(kinds)
    # The second and the third kind are dominated everywhere.
    drawn_colours = [to_hex(tuple(np.asarray(group.get_facecolor())[0])).upper() for group in groups]
    assert drawn_colours == [colours[kind].upper() for kind in (*kinds[1:], kinds[0])]
    assert len({np.asarray(group.get_paths()[0].vertices).tobytes() for group in groups}) == 3
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend == [*kinds, "Pareto-optimal: outlined", "dominated: pale"]


def test_long_labels_that_differ_at_their_ends_alone_are_told_apart(tmp_path: Path, drawn: list[Figure]) -> None:
    points = [Point("an array of many rows and columns, " * 8 + end, (1.0 + n, 9.0 - n)) for n, end in enumerate("ab")]
    pareto(points, tmp_path / "pareto", "a title", (AREA, CYCLES))
    listed = drawn[0].axes[1].texts[0].get_text()
    assert listed.count("\n") < 10
    first, second = listed.split("2  ")
    assert first.partition("1  ")[2].splitlines()[:3] != second.splitlines()[:3]


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: pareto([], Path("x"), "", (AREA, CYCLES)), "points", "none", "at least one"),
        Refusal(lambda: pareto(POINTS, Path("x"), "", (AREA,)), "quantities", "1", "at least two"),
        Refusal(
            lambda: pareto([*priced(), Point("bare", (1, 1))], Path("x"), "", (AREA, CYCLES, ENERGY)),
            "points",
            "'bare'",
            "area, clock cycles, energy",
        ),
        Refusal(
            lambda: pareto([Point("nan", (1, float("nan")))], Path("x"), "", (AREA, CYCLES)), "points", "'nan'", "give"
        ),
        Refusal(
            lambda: pareto([Point("far", (1, float("inf")))], Path("x"), "", (AREA, CYCLES)), "points", "'far'", "give"
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(refusal: Refusal) -> None:
    assert_refused(refusal)
