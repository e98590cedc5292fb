"""One line of the benchmark's table, and the clock it is read off."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """What was measured, against what target, and what bounds it."""

    name: str
    value: float
    unit: str
    target: str
    met: bool
    bound: str


def seconds(run: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long a call takes, by a clock of seconds."""
    start = clock()
    run()
    return clock() - start
