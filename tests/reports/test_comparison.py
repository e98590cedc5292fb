"""The report of two results: what differs on 80 columns, what is equal in a sentence, and all of it as data."""

from __future__ import annotations

import io
from pathlib import Path

from jaxgrad.reports import screen
from jaxgrad.reports.comparison import as_dict, report
from jaxgrad.reports.results import Comparison, Figure, Results


def results(cycles: int, accuracy: float, **settings: object) -> Results:
    figures = {
        Figure(part, group, name): count
        for part, share in (("", 1), ("conv1", 2), ("head", 4))
        for group in ("forward", "backward")
        for name, count in (("cycles", cycles // share), ("accesses", 7_000_000), ("effectual_macs", 5))
    }
    return Results(Path(f"run-{cycles}"), settings, {"test_accuracy": {1: 0.5, 2: accuracy}}, figures)


def text(comparison: Comparison) -> str:
    file = io.StringIO()
    for part in report(comparison):
        screen.console(file=file, width=80).print(part)
    return file.getvalue()


def cells(printed: str, begin: str) -> list[str]:
    return next(line.split() for line in printed.splitlines() if line.strip().startswith(begin))


def test_what_differs_stands_side_by_side() -> None:
    one, other = results(4000, 0.75, **{"train.epochs": 2, "a": 1}), results(2000, 0.625, **{"train.epochs": 3, "a": 1})
    printed = text(Comparison(one, other))
    assert max(map(len, printed.splitlines())) <= 80
    assert cells(printed, "A is") == ["A", "is", "run-4000,", "B", "is", "run-2000;", "ratios", "are", "B", "to", "A."]
    assert cells(printed, "train.epochs") == ["train.epochs", "2", "3"]
    assert cells(printed, "test_accuracy") == ["test_accuracy", "75.0%", "62.5%", "75.0%", "(2)", "62.5%", "(2)", "2"]
    assert "Counters that differ: 2 of 6" in printed
    assert cells(printed, "cycles   forward") == ["cycles", "forward", "4,000", "2,000", "0.500"]
    assert "Layers that differ: 2 of 2" in printed
    assert cells(printed, "head") == ["head", "cycles", "2,000", "1,000", "0.500"]
    assert "accesses" not in printed


def test_counters_that_differ_in_their_last_digit_look_different() -> None:
    one, other = results(8_123_456_788, 0.75), results(8_123_456_792, 0.75)
    printed = text(Comparison(one, other))
    assert max(map(len, printed.splitlines())) <= 80
    assert cells(printed, "cycles   forward")[2:4] == ["8,123,456,788", "8,123,456,792"]
    assert cells(printed, "head")[2:4] == ["4,061,728,394", "4,061,728,396"]


def test_what_is_equal_is_said() -> None:
    one = results(4000, 0.75, rows=4)
    assert "No difference: settings, curves and counters are equal." in text(Comparison(one, one))
    other = Results(one.folder, one.settings, {"test_accuracy": {1: 0.25}}, one.figures)
    printed = text(Comparison(one, other))
    assert "Equal settings." in printed
    assert "Equal counters." in printed
    assert "Layers" not in printed


def test_a_run_without_counters_is_told() -> None:
    one = results(4000, 0.75)
    printed = text(Comparison(one, Results(one.folder, {"rows": 4}, one.curves, {})))
    assert "B has no counters yet: they are written as training ends." in printed
    assert "Counters that differ" not in printed


def test_as_data() -> None:
    told = as_dict(Comparison(results(4000, 0.75, rows=4), results(2000, 0.625, rows=8)))
    assert told["settings"] == {"rows": [4, 8]}
    assert told["curves"]["test_accuracy"] == {
        "last": [0.75, 0.625],
        "best": [{"epoch": 2, "value": 0.75}, {"epoch": 2, "value": 0.625}],
        "epochs": [2, 2],
        "differ_from_epoch": 2,
    }
    assert told["counters"]["forward"]["cycles"] == {"values": [4000, 2000], "ratio": 0.5}
    assert told["layers"]["head"]["backward"]["cycles"] == {"values": [1000, 500], "ratio": 0.5}
    assert (told["equal"], told["folders"]) == (False, ["run-4000", "run-2000"])
