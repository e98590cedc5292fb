"""Events of a run, added up tile by tile in the order in which the array takes the tiles."""

from __future__ import annotations

from itertools import product

from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.tiles import Extent, extents
from jaxgrad.array.passes.timeline import Order, double_buffered, groups
from jaxgrad.hardware import Accelerator


def walk(
    keeps: tuple[Keeps, ...], order: Order, s: int, p: int, q: int | tuple[int, ...], array: Accelerator
) -> Events:
    """Python ints; ``effectual_macs`` stays 0 here, since ``tiles.run`` counts it from the data.

    A slot that is narrower than the others has real elements in the first columns of tiles, or of a tile, alone.
    """
    widths = q if isinstance(q, tuple) else (q,) * len(keeps)
    widest = max(widths)
    slots: list[SlotEvents] = []
    total_cycles = reads = 0
    tiles = -(-p // array.rows), -(-widest // array.cols)
    for group in groups(keeps, order):
        for part_p in extents(p, array.rows):
            reads += tiles[1] * part_p.count * s * part_p.size
        total_cycles += tiles[0] * tiles[1] * _tile_cycles(group, s, array)
        for kept in group:
            slot_events = SlotEvents()
            for part_q, part_p in product(extents(widths[len(slots)], array.cols), extents(p, array.rows)):
                once = _tiles(kept, s, part_p, part_q, array)
                slot_events = SlotEvents(*(a + b for a, b in zip(slot_events, once, strict=True)))
            slots.append(slot_events)
        if order == "overlapped drain":
            load, drain = _shifting(group, array)
            total_cycles -= (tiles[0] * tiles[1] - 1) * min(load, drain)  # the shorter of the two is hidden
    if array.double_buffered:
        total_cycles = double_buffered(keeps, order, s, tiles, array.rows, array.cols).cycles
    return Events(total_cycles, reads, reads * array.cols, tuple(slots))


def _tile_cycles(group: tuple[Keeps, ...], s: int, array: Accelerator) -> int:
    """Load, stream with its skew, and drain of one tile."""
    load, drain = _shifting(group, array)
    return load + len(group) * s + (array.rows - 1) + (array.cols - 1) + drain


def _shifting(group: tuple[Keeps, ...], array: Accelerator) -> tuple[int, int]:
    """Cycles in which a tile loads, and in which it drains."""
    load = drain = 0
    for kept in group:
        load += array.rows if kept == "operand" else 0
        drain += array.rows if kept == "result" else 0
    return load, drain


def _tiles(kept: Keeps, s: int, part_p: Extent, part_q: Extent, array: Accelerator) -> SlotEvents:
    """Tiles of the same real elements; all but the first along an axis take partial sums of it out of the buffer."""
    p, q, count = part_p.size, part_q.size, part_p.count * part_q.count
    macs = count * s * p * q
    if kept == "operand":
        resumed = part_q.count * (part_p.count - (part_p.start == 0))
        return SlotEvents(
            macs=macs,
            operand_reads=count * p * q,
            psum_reads=resumed * s * q,
            psum_writes=count * s * q,
            psum_hops=count * s * q * array.rows,
        )
    streamed = SlotEvents(macs=macs, operand_reads=count * s * q, operand_hops=count * s * q * array.rows)
    if kept == "result":
        return streamed._replace(result_writes=count * p * q, acc_updates=macs)
    resumed = part_p.count * (part_q.count - (part_q.start == 0))
    return streamed._replace(
        psum_reads=resumed * s * p, psum_writes=count * s * p, psum_hops=count * s * p * array.cols
    )
