"""What an operand's traffic is told in, and the unit of a buffer's size."""

from __future__ import annotations

from typing import NamedTuple

WORDS_PER_KB = 1024


class Traffic(NamedTuple):
    """Traffic of one operand, with the array or with DRAM: cycles of the first and the last access, and words."""

    start: int
    stop: int
    words: float
