"""Cycles and accesses of a pass in closed form (DESIGN.md section 2).

Exact for Python ints, and for arrays of sizes as ``integers`` has them: whole networks, whole design spaces at once.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.timeline import Order, groups, share_ports, trailing
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
    length = len(together[0]) * s
    kinds = [(group, kept) for group in together for kept in group if kept != "nothing"]
    period = maximum(length, *(group.count(kept) * rows for group, kept in kinds))
    if "nothing" in keeps:
        # Where sums that leave at the right come in again at the left, it is n_p tiles later.
        period = maximum(period, minimum(n_q - 1, 1) * ceil_div(cols, n_p))
    stream = (tiles - 1) * period + length
    span = tiles * period if share_ports(together) else stream
    numbered = list(enumerate(together))
    fill = maximum(0, *(group.count("operand") * rows - at * span for at, group in numbered if "operand" in group))
    flushes = (maximum(0, group.count("result") * rows - trailing(group)) for group in together)
    end = maximum(0, *(at * span + stream + flush for at, flush in enumerate(flushes)))
    return fill + end + rows + cols - 2


def shifts(group: tuple[Keeps, ...]) -> int:
    """How often a tile's slots, on the array together, load an operand or drain a result."""
    return len(group) - group.count("nothing")


def events(
    keeps: tuple[Keeps, ...], order: Order, s: Integer, p: Integer, q: Integer | tuple[Integer, ...], array: Array
) -> Events:
    """All events of a whole run; ``effectual_macs`` as for dense data, since shapes cannot tell zeros.

    Args:
        keeps, order: of the slots.
        s, p: rows that stream, and what lies along the array's rows.
        q: what lies along its columns; a tuple where it differs from slot to slot, the widest of which sets the tiles.
        array: the hardware.
    """
    rows, cols = array.rows, array.cols
    widths = q if isinstance(q, tuple) else (q,) * len(keeps)
    widest = maximum(*q) if isinstance(q, tuple) else q
    n_p, n_q = ceil_div(p, rows), ceil_div(widest, cols)
    reads = s * p * n_q * (len(keeps) if order == "in turn" else 1)
    slots: list[SlotEvents] = []
    for kept, width in zip(keeps, widths, strict=True):
        macs, streamed = s * p * width, s * width * n_p
        met = SlotEvents(macs=macs, effectual_macs=macs)
        if kept == "operand":
            psums = {"psum_reads": s * width * (n_p - 1), "psum_writes": streamed, "psum_hops": streamed * rows}
            slots.append(met._replace(operand_reads=p * width, **psums))
            continue
        met = met._replace(operand_reads=streamed, operand_hops=streamed * rows)
        if kept == "result":
            slots.append(met._replace(result_writes=p * width, acc_updates=macs))
        else:
            psums = {"psum_reads": s * p * (n_q - 1), "psum_writes": s * p * n_q, "psum_hops": s * p * n_q * cols}
            slots.append(met._replace(**psums))
    return Events(cycles(keeps, order, s, p, widest, array), reads, reads * cols, tuple(slots))
