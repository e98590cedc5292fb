"""What the clock cycles of one layer's gradients are spent on, and why: which axis streams, what stays in the PEs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxgrad.array.choice import choose, cost
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping
from jaxgrad.array.schedules import Schedule
from jaxgrad.base.arithmetic import ceil_div
from jaxgrad.hardware import Accelerator


@dataclass(frozen=True)
class Anatomy:
    """How a schedule computes a layer's gradients on the array, from the closed forms.

    Args:
        schedule: what ran: of a choice among schedules the one that it took.
        mappings: how the products lie on the array, one after the other.
        tiles: of all mappings.
        cycles: clock cycles.
        stream_cycles: those in which operands stream in, if every tile followed the last one at once.
        accesses: SRAM words, read and written.
        utilisation: the share of all PE-cycles in which a PE does a MAC on real elements.
    """

    schedule: Schedule
    mappings: tuple[Mapping, ...]
    tiles: int
    cycles: int
    stream_cycles: int
    accesses: int
    utilisation: float

    @property
    def other_cycles(self) -> int:
        """Loads, drains and wavefronts that do not hide behind a stream."""
        return self.cycles - self.stream_cycles

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "ran": self.schedule.name,
            "products": [list(mapping.results) for mapping in self.mappings],
            "streamed": [mapping.axes[0] for mapping in self.mappings],
            "tiles": self.tiles,
            "cycles": self.cycles,
            "stream_cycles": self.stream_cycles,
            "other_cycles": self.other_cycles,
            "utilisation": self.utilisation,
            "accesses_words": self.accesses,
        }


def anatomy(schedule: str | Schedule, gemm: Gemm, array: Accelerator) -> Anatomy:
    """A layer's gradients under one schedule, which is chosen by cycles where it is a choice.

    >>> from jaxgrad import Accelerator, Gemm
    >>> taken = anatomy("interleaved", Gemm(8, 9, 10), Accelerator(4, 4))  # T (3R + C + 2B - 2), T = 9
    >>> taken.tiles, taken.cycles, taken.stream_cycles, taken.other_cycles
    (9, 270, 144, 126)
    """
    chosen = choose(schedule, gemm, array)
    spent = cost(chosen.mappings, gemm, array)
    tiles = streams = products = 0
    for mapping in chosen.mappings:
        s, p, q = mapping.sizes(gemm)
        slots = len(mapping.products)
        of_one = ceil_div(p, array.rows) * ceil_div(q, array.cols)
        tiles += of_one * (slots if mapping.order == "in turn" else 1)
        streams += of_one * slots * s
        products += slots
    return Anatomy(
        chosen.schedule,
        chosen.mappings,
        tiles,
        spent.cycles,
        streams,
        spent.accesses,
        products * gemm.macs / (spent.cycles * array.pes),
    )


@dataclass(frozen=True)
class Fit:
    """How one axis of a layer lies on one side of the array.

    Args:
        axis: ``b``, ``k`` or ``n``.
        length: of the axis.
        side: of the array, in PEs.
    """

    axis: str
    length: int
    side: int

    @property
    def tiles(self) -> int:
        """Into how many the side cuts the axis."""
        return ceil_div(self.length, self.side)

    @property
    def filled(self) -> float:
        """The share of the side that is at work, over all tiles."""
        return self.length / (self.side * self.tiles)


def fits(mapping: Mapping, gemm: Gemm, array: Accelerator) -> tuple[Fit, Fit, Fit]:
    """The streamed axis, against the rows whose load and drain it has to hide; the axes along the rows and the columns.

    >>> from jaxgrad import Accelerator, Gemm
    >>> from jaxgrad.array.schedules import INTERLEAVED
    >>> stream, rows, columns = fits(INTERLEAVED, Gemm(32, 9, 10), Accelerator(16, 16))
    >>> stream, rows.axis, rows.filled
    (Fit(axis='b', length=32, side=16), 'n', 0.625)
    """
    s, p, q = mapping.axes
    sides = array.rows, array.rows, array.cols
    first, second, third = (Fit(axis, gemm.sizes[axis], side) for axis, side in zip((s, p, q), sides, strict=True))
    return first, second, third


def anatomies(schedules: Sequence[str], gemm: Gemm, array: Accelerator) -> dict[str, Anatomy]:
    return {name: anatomy(name, gemm, array) for name in schedules}
