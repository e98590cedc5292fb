"""What all experiments' reports have."""

from __future__ import annotations

from pathlib import Path
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


def test_texts_are_written_in_order_and_what_is_half_written_goes(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert frame.write_texts(folder, {"b.txt": "B", "a.txt": "A"}) == [folder / "b.txt", folder / "a.txt"]
    (folder / ".c.0123456789abcdef.tmp.txt").write_text("half")
    frame.write_texts(folder, {"a.txt": "new"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.txt": "new", "b.txt": "B"}
