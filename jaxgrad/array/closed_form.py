"""Cycles and accesses of a pass in closed form (DESIGN.md section 2).

Exact for Python ints, and for arrays of sizes as ``integers`` has them: whole networks, whole design spaces at once.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.timeline import Order, groups, trailing
from jaxgrad.base.arithmetic import Integer, ceil_div, maximum, minimum


@runtime_checkable
class Array(Protocol):
    """An ``Accelerator``, or many: ``rows`` and ``cols`` may be arrays."""

    @property
    def rows(self) -> Integer: ...
    @property
    def cols(self) -> Integer: ...
    @property
    def double_buffered(self) -> bool: ...


def cycles(keeps: tuple[Keeps, ...], order: Order, s: Integer, p: Integer, q: Integer, array: Array) -> Integer:
    """Clock cycles of a whole run, ``T = ceil(p/R) ceil(q/C)`` tiles."""
    rows, cols = array.rows, array.cols
    n_p, n_q = ceil_div(p, rows), ceil_div(q, cols)
    tiles = n_p * n_q
    together = groups(keeps, order)
    if not array.double_buffered:
        spent = sum(tiles * (len(group) * s + shifts(group) * rows + rows + cols - 2) for group in together)
        if order != "overlapped drain":
            return spent
        # Each tile but the last drains while the next one loads: the shorter of the two is hidden.
        return spent - (tiles - 1) * min(keeps.count("operand"), keeps.count("result")) * rows
    # Loads and drains hide behind the stream, save the first load and the last drain.
    fill = together[0].count("operand") * rows
    flush = maximum(0, together[-1].count("result") * rows - trailing(together[-1]))
    length = len(together[0]) * s
    kinds = [(group, kept) for group in together for kept in group if kept != "nothing"]
    period = maximum(length, *(group.count(kept) * rows for group, kept in kinds))
    if "nothing" in keeps:
        # Where sums that leave at the right come in again at the left, it is n_p tiles later.
        period = maximum(period, minimum(n_q - 1, 1) * ceil_div(cols, n_p))
    steady = len(together) * (tiles - 1) * period + (len(together) - 1) * length
    return fill + steady + (length + rows + cols - 2) + flush


def shifts(group: tuple[Keeps, ...]) -> int:
    """How often a tile's slots, on the array together, load an operand or drain a result."""
    return len(group) - group.count("nothing")


def events(keeps: tuple[Keeps, ...], order: Order, s: Integer, p: Integer, q: Integer, array: Array) -> Events:
    """All events of a whole run; ``effectual_macs`` as for dense data, since shapes cannot tell zeros."""
    rows, cols = array.rows, array.cols
    n_p, n_q = ceil_div(p, rows), ceil_div(q, cols)
    reads = s * p * n_q * (len(keeps) if order == "in turn" else 1)
    macs = s * p * q
    keeps_operand = SlotEvents(
        macs=macs,
        effectual_macs=macs,
        operand_reads=p * q,
        psum_reads=s * q * (n_p - 1),
        psum_writes=s * q * n_p,
        psum_hops=s * q * n_p * rows,
    )
    keeps_result = SlotEvents(
        macs=macs,
        effectual_macs=macs,
        operand_reads=s * q * n_p,
        operand_hops=s * q * n_p * rows,
        result_writes=p * q,
        acc_updates=macs,
    )
    keeps_nothing = SlotEvents(
        macs=macs,
        effectual_macs=macs,
        operand_reads=s * q * n_p,
        operand_hops=s * q * n_p * rows,
        psum_reads=s * p * (n_q - 1),
        psum_writes=s * p * n_q,
        psum_hops=s * p * n_q * cols,
    )
    by_kind = {"operand": keeps_operand, "result": keeps_result, "nothing": keeps_nothing}
    slots = tuple(by_kind[kept] for kept in keeps)
    return Events(cycles(keeps, order, s, p, q, array), reads, reads * cols, slots)
