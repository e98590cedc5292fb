"""The report of two files of results: the farthest apart first, on 80 columns, and all of it as data."""

from __future__ import annotations

import io
from pathlib import Path

from jaxgrad.reports import screen
from jaxgrad.reports.document_comparison import as_dict, differing, report
from jaxgrad.reports.results import Comparison, Figure, Results


def results(name: str, figures: dict[str, float], **settings: object) -> Results:
    return Results(Path(name), settings, {}, {Figure(f"points / {key}", "", "cycles"): figures[key] for key in figures})


def text(comparison: Comparison) -> str:
    file = io.StringIO()
    for part in report(comparison):
        screen.console(file=file, width=80).print(part)
    return file.getvalue()


ONE = results("one", {"a": 100.0, "b": 100.0, "c": 100.0, "d": 5.0, "zero": 0.0}, baseline="WS")
OTHER = results("other", {"a": 110.0, "b": 50.0, "c": 100.0, "e": 6.0, "zero": 1.0}, baseline="OS")


def test_the_farthest_apart_stand_first_and_what_one_has_alone_is_said() -> None:
    comparison = Comparison(ONE, OTHER, "a test")
    assert [figure.part[-1] for figure, _ in differing(comparison)] == ["o", "b", "a"]
    printed = text(comparison)
    assert max(map(len, printed.splitlines())) <= 80
    assert "A is one, B is other, each a test; ratios are B to A." in printed
    assert "Numbers that differ: 3 of 6" in printed
    assert [line.split() for line in printed.splitlines() if line.startswith(" points")] == [
        ["points", "/", "zero", "cycles", "0", "1", "-"],
        ["points", "/", "b", "cycles", "100", "50", "0.500"],
        ["points", "/", "a", "cycles", "100", "110", "1.100"],
    ]
    assert ["baseline", "WS", "OS"] in [line.split() for line in printed.splitlines()]
    assert "A alone has 1 of the numbers, such as points / d cycles." in printed
    assert "B alone has 1 of the numbers, such as points / e cycles." in printed


def test_of_many_some_are_shown_and_all_are_in_the_data() -> None:
    numbers = range(1, 31)
    one = results("a", {str(number): float(number) for number in numbers})
    other = results("b", {str(number): number + 1.0 for number in numbers})
    comparison = Comparison(one, other, "a test")
    printed = text(comparison)
    assert "Numbers that differ: 30 of 30" in printed
    assert "Shown are the 20 farthest apart; --json has all." in printed
    assert sum(line.startswith(" points") for line in printed.splitlines()) == 20
    data = as_dict(comparison)
    assert (data["kind"], data["equal"], data["numbers"], len(data["differences"])) == ("a test", False, 30, 30)
    assert data["differences"][0] == {"of": "points / 1", "quantity": "cycles", "values": [1.0, 2.0], "ratio": 2.0}


def test_numbers_that_differ_look_different() -> None:
    one = results("a", {"whole": 123_456_789_012, "as a float": 123_456_789.0, "near": 1.00001, "rest": 7})
    other = results("b", {"whole": 123_456_789_013, "as a float": 123_456_790.0, "near": 1.00002, "rest": 7})
    printed = text(Comparison(one, other, "a test"))
    assert max(map(len, printed.splitlines())) <= 80
    for pair in ("123,456,789,012  123,456,789,013", "123,456,789 123,456,790", "1.00001 1.00002"):
        assert " ".join(pair.split()) in " ".join(printed.split())


def test_what_is_equal_is_said_with_how_much_that_is() -> None:
    assert "No difference: 5 numbers and 1 settings are equal." in text(Comparison(ONE, ONE, "a test"))
    only_settings = text(Comparison(ONE, Results(Path("x"), {"baseline": "OS"}, {}, ONE.figures), "a test"))
    assert "All numbers that both have are equal." in only_settings
    assert as_dict(Comparison(ONE, ONE, "a test"))["differences"] == []


def test_missing_figures_are_null_in_the_data() -> None:
    missing = [each for each in as_dict(Comparison(ONE, OTHER, "a test"))["differences"] if None in each["values"]]
    assert [each["values"] for each in missing] == [[5.0, None], [None, 6.0]]
