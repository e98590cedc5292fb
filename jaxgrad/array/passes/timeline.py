"""When each wave of a run starts: double-buffered, tiles follow each other as closely as load and drain allow.

A wavefront enters PE (0, 0) once a cycle and reaches PE (r, c) r + c cycles later; everything a PE does follows from
the number of the wave that is passing it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from jaxgrad.array.passes.base import Keeps
from jaxgrad.base.arithmetic import Integer, ceil_div, maximum, minimum

Order = Literal["alternate", "in turn", "overlapped drain"]
"""Whether the slots of a pass share each streamed row, or each streams all rows of all tiles before the next one.

With an overlapped drain they share each row too, and a single-buffered tile loads while the one before drains: two
chains of registers, ``w`` and ``acc``. With shadow registers, which overlap more, it is as ``alternate``.
"""


def groups(keeps: tuple[Keeps, ...], order: Order) -> list[tuple[Keeps, ...]]:
    """The slots that are on the array together, group after group."""
    return [(kept,) for kept in keeps] if order == "in turn" else [keeps]


def trailing(group: tuple[Keeps, ...]) -> int:
    """How many slots come after the last one that keeps its result; 0 where none does."""
    return group[::-1].index("result") if "result" in group else 0


def share_ports(together: list[tuple[Keeps, ...]]) -> bool:
    """Whether two groups load, or two drain: the later one waits, as a tile of the same group would."""
    return any(sum(kept in group for group in together) > 1 for kept in ("operand", "result"))


class SlotTimeline(NamedTuple):
    """The waves of one slot.

    Args:
        start: the wave that carries the first streamed row of the first tile.
        stride: waves from one streamed row to the next.
        offset: which of the ``stride`` waves is this slot's.
        load: wave in which column 0 starts to load the first tile; used by a slot that keeps its operand.
        drain: wave in which column 0 starts to drain it, less the rows' own delay; by one that keeps its result.
    """

    start: Integer
    stride: int
    offset: int
    load: Integer
    drain: Integer


class Timeline(NamedTuple):
    """The waves of a whole run: ``cycles`` in all, a tile every ``period`` waves of each slot.

    Each column loads and drains ``lag`` cycles after its left neighbour.
    """

    slots: tuple[SlotTimeline, ...]
    period: Integer
    cycles: Integer
    lag: int


def single_buffered(
    keeps: tuple[Keeps, ...], order: Order, streamed: Integer, tiles: tuple[Integer, Integer], rows: int, cols: int
) -> Timeline:
    """The timeline of a run without shadow registers, whose slots share the streamed rows.

    A tile loads once the one before has drained, or, with an overlapped drain, so that it streams as soon as the one
    before has drained and its own operands are there.
    """
    n_p, n_q = tiles
    loading, length = keeps.count("operand") * rows, len(keeps) * streamed
    drained = loading + length + cols - 1  # and the rows' own delay
    slots = [
        SlotTimeline(
            loading, len(keeps), offset, keeps[:offset].count(kept) * rows, drained + keeps[:offset].count(kept) * rows
        )
        for offset, kept in enumerate(keeps)
    ]
    draining = keeps.count("result") * rows
    alone = drained + (rows - 1) + draining
    period = alone - min(loading, draining) if order == "overlapped drain" else alone
    return Timeline(tuple(slots), period, (n_p * n_q - 1) * period + alone, lag=0)


def timeline(
    keeps: tuple[Keeps, ...],
    order: Order,
    streamed: Integer,
    tiles: tuple[Integer, Integer],
    rows: int,
    cols: int,
    *,
    shadows: bool,
) -> Timeline:
    """The timeline of a run, with shadow registers or without, where slots in turn are runs of their own."""
    assert shadows or order != "in turn", "single-buffered, slots in turn are runs of their own"
    return (double_buffered if shadows else single_buffered)(keeps, order, streamed, tiles, rows, cols)


def double_buffered(
    keeps: tuple[Keeps, ...], order: Order, streamed: Integer, tiles: tuple[Integer, Integer], rows: int, cols: int
) -> Timeline:
    """The timeline of a double-buffered run (DESIGN.md section 2, cycles, right-hand column).

    Args:
        keeps: of the slots.
        order: of the slots.
        streamed: rows of the horizontal operand.
        tiles: along the rows' and along the columns' axis.
        rows, cols: of the array.
    """
    n_p, n_q = tiles
    together = groups(keeps, order)
    loads = max(group.count("operand") for group in together)
    drains = max(group.count("result") for group in together)
    length = len(together[0]) * streamed
    period = maximum(length, loads * rows, drains * rows)
    if "nothing" in keeps:
        # Where there are more tiles along q, a sum that leaves at the right comes in again at the left n_p tiles later.
        period = maximum(period, minimum(n_q - 1, 1) * ceil_div(cols, n_p))
    stream = (n_p * n_q - 1) * period + length
    span = n_p * n_q * period if share_ports(together) else stream
    # Groups follow each other as closely as that, so a later one's first load may have to begin before the first one's.
    fill = maximum(
        0, *(group.count("operand") * rows - index * span for index, group in enumerate(together) if "operand" in group)
    )
    slots: list[SlotTimeline] = []
    cycles: Integer = 0
    for index, group in enumerate(together):
        wave = fill + index * span
        # A shadow is free for the next load once its own slot has taken it over, and must be drained before its own
        # slot fills it again.
        first_load = wave + (group.index("operand") if "operand" in group else 0) - group.count("operand") * rows
        first_drain = wave + length - trailing(group)
        for offset, kept in enumerate(group):
            earlier = group[:offset].count(kept)
            load, drain = first_load + earlier * rows, first_drain + earlier * rows
            slots.append(SlotTimeline(wave, len(group), offset, load, drain))
        flush = max(0, group.count("result") * rows - trailing(group))
        cycles = maximum(cycles, wave + stream + (rows - 1) + (cols - 1) + flush)
    return Timeline(tuple(slots), period, cycles, lag=1)
