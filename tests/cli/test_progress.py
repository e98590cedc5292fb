"""The one bar: what it passes on, what it says, and how long it says the rest will take."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from jaxgrad.cli import progress
from jaxgrad.cli.progress import Pace


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


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


def test_what_is_left_counts_down_between_items() -> None:
    clock = Clock()
    pace = Pace(total=10, clock=clock)
    assert pace.left_s() is None  # nothing tells yet
    clock.wait(10)
    pace.reach(1)
    assert pace.left_s() == 90
    clock.wait(9)
    assert pace.left_s() == 81
    clock.wait(1)
    pace.reach(2)
    assert pace.left_s() == 80


def test_what_is_left_grows_while_an_item_is_slow_and_never_stands_still() -> None:
    clock = Clock()
    pace = Pace(total=4, clock=clock)
    for done in (1, 2):
        clock.wait(1)
        pace.reach(done)
    clock.wait(1)
    assert pace.left_s() == 1  # this one is due, and one more
    seen = []
    for _ in range(3):
        clock.wait(10)
        seen.append(pace.left_s())
    assert seen == [pytest.approx((2 + waited) / 3) for waited in (11, 21, 31)]


def test_items_count_by_their_size_and_not_where_they_tell_nothing() -> None:
    clock = Clock()
    pace = Pace(total=100, done=20, clock=clock)
    clock.wait(5)
    pace.reach(60, timed=False)  # kept by an earlier run
    assert pace.left_s() is None
    pace.begin(10)
    clock.wait(30)
    pace.reach(70)
    pace.begin(20)
    clock.wait(15)
    assert pace.left_s() == 3 * 30 - 15


def test_a_bar_times_what_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twelve items two are kept; each of the others takes a second."""
    clock, paces, left = Clock(), [], []
    monkeypatch.setattr(progress, "Pace", lambda total, done: paces.append(Pace(total, done, clock)) or paces[-1])
    out = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    for item in progress.follow(range(12), out, total=12, label=str, kept=lambda item: item < 2):
        left.append(paces[0].left_s())
        clock.wait(0 if item < 2 else 1)
    assert left == [None, None, None, 9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_the_first_step_of_a_training_compiles_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, paces = Clock(), []
    monkeypatch.setattr(progress, "Pace", lambda total, done: paces.append(Pace(total, done, clock)) or paces[-1])

    def steps() -> Iterator[int]:
        for step in range(1, 5):
            clock.wait(60 if step == 1 else 2)
            yield step

    out = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    followed = progress.follow(steps(), out, total=10, label=str, place=lambda step: step)
    left = [paces[0].left_s() for _ in followed]
    assert left == [None, 16, 14, 12]


def test_times_are_read_at_a_glance() -> None:
    texts = [progress._clock_text(seconds) for seconds in (0.4, 59.7, 61, 3725)]
    assert texts == ["0:00", "1:00", "1:01", "1:02:05"]


def test_what_cannot_be_counted_shows_that_it_goes_on() -> None:
    for terminal in (True, False):
        out = Console(file=io.StringIO(), width=60, force_terminal=terminal, color_system=None)
        with progress.busy("costing [all]", out):
            pass
        assert isinstance(out.file, io.StringIO)
        assert ("costing [all] 0:00" in out.file.getvalue()) is terminal


@pytest.mark.parametrize(("takes_s", "terminal", "said"), [(0.2, True, True), (0.0, True, False), (0.2, False, False)])
def test_what_takes_long_has_a_line_on_a_terminal(
    takes_s: float, terminal: bool, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LATE_S", 0.05)
    out = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with progress.tell_late("measuring at step 1,400", out):
        time.sleep(takes_s)
    assert isinstance(out.file, io.StringIO)
    assert ("measuring at step 1,400" in out.file.getvalue()) is said


def test_the_bar_gives_way_where_the_terminal_is_narrow() -> None:
    """The times stay on the line, with a label, a place and a note as long as those of a training."""
    out = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    note = "loss 0.123  acc. 97.3%  22.8M cycles"
    steps = progress.follow([1, 2], out, total=2, label=lambda _: "epoch 12/20", place=int, note=lambda _: note)
    assert list(steps) == [1, 2]
    assert isinstance(out.file, io.StringIO)
    (last, *_) = out.file.getvalue().rpartition("epoch")[2].splitlines()
    assert last.rstrip().endswith(f"2/2 {note} 0:00, 0:00 left")
