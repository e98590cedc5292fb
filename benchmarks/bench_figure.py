"""One line of the benchmark's table."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """What was measured, against what target, and what bounds it."""

    name: str
    value: float
    unit: str
    target: str
    met: bool
    bound: str
