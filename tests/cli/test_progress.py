"""The one bar: what it passes on, and what it says."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from jaxgrad.cli import progress


def followed(items: list[int], *, terminal: bool, **options: Any) -> tuple[list[int], str]:
    out = Console(file=io.StringIO(), width=100, force_terminal=terminal, color_system=None)
    seen = list(progress.follow(iter(items), out, label=lambda item: f"item [b]{item}", **options))
    assert isinstance(out.file, io.StringIO)
    return seen, out.file.getvalue()


def test_items_are_passed_on_and_only_a_terminal_has_a_bar() -> None:
    assert followed([3, 4], terminal=False, total=2) == ([3, 4], "")
    seen, text = followed([3, 4], terminal=True, total=2)
    assert seen == [3, 4]
    assert "item [b]4" in text  # as written: no markup
    assert "1/2" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"total": 10, "size": lambda item: item}, "3/10"),
        ({"total": 10, "size": lambda item: item, "done": 2}, "5/10"),
        ({"total": 9, "place": lambda item: item + 1}, "5/9"),
        ({"total": 9, "note": lambda item: f"so {item}"}, "so 4"),
    ],
)
def test_how_much_is_done(options: dict[str, Any], said: str) -> None:
    assert said in followed([3, 4], terminal=True, **options)[1]


def test_costly_items_are_looked_at_now_and_then() -> None:
    looked: list[int] = []
    options = {"total": 9, "place": lambda item: looked.append(item) or item, "every_s": 60.0}
    assert followed([1, 2, 3], terminal=True, **options)[0] == [1, 2, 3]
    assert looked == [1]
