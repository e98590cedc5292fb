"""What all experiments' reports have."""

from __future__ import annotations

from typing import NamedTuple

from jaxgrad.studies import frame


class Asked(NamedTuple):
    title: str = "Widths"
    question: str = ""
    notes: tuple[str, ...] = ()


def test_parts_stand_between_the_question_and_the_assumptions() -> None:
    shown = frame.as_text(frame.on_screen(Asked(question="Which?", notes=("one", "two")), ["part"]))
    assert shown.splitlines() == ["Widths", "Which?", "", "part", "", "Assumptions:", "- one", "- two"]
    assert frame.as_text(frame.on_screen(Asked(), ["part"])).splitlines() == ["Widths", "", "part"]
