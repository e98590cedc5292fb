"""jaxgrad.studies.published: a published ratio, or range, beside ours."""

from __future__ import annotations

from typing import Any

import pytest

from jaxgrad.studies.published import PublishedRatio, deviation, deviation_text, numbered


@pytest.mark.parametrize(
    ("keys", "text", "ours", "difference", "shown"),
    [
        ({"ratio": 1.25}, "1.250", 1.5, 0.25, "+25.0%"),
        ({"ratio": 1.25}, "1.250", 1.25, 0.0, "+0.0%"),
        ({"ratio": 1.25}, "1.250", None, None, "-"),
        ({"at_least": 1.75}, ">= 1.750", 1.5, -0.25, "-25.0%"),
        ({"at_least": 1.75}, ">= 1.750", 9.0, 0.0, "within"),
        ({"at_most": 0.5}, "<= 0.500", 0.75, 0.25, "+25.0%"),
        ({"at_least": 0.5, "at_most": 1.0}, "0.500 to 1.000", 0.75, 0.0, "within"),
    ],
)
def test_a_deviation_is_from_the_nearer_end(
    keys: dict[str, Any], text: str, ours: float | None, difference: float | None, shown: str
) -> None:
    figure = PublishedRatio(source="a paper", **keys)
    assert figure.text == text
    assert (deviation(figure, ours), deviation_text(figure, ours)) == (difference, shown)


def test_origins_are_numbered_once() -> None:
    first = PublishedRatio(ratio=1.0, source="a paper", assumption="its array")
    second = PublishedRatio(ratio=2.0, source="another")
    assert numbered([first, second, first]) == {
        "[1]": "a paper. Could account for a deviation: its array",
        "[2]": "another",
    }
