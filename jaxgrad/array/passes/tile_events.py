"""Events of a run, added up tile by tile in the order in which the array takes the tiles."""

from __future__ import annotations

from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.tiles import extents
from jaxgrad.array.passes.timeline import Order, double_buffered, groups
from jaxgrad.hardware import Accelerator


def walk(keeps: tuple[Keeps, ...], order: Order, s: int, p: int, q: int, array: Accelerator) -> Events:
    """Python ints; ``effectual_macs`` stays 0 here, since ``tiles.run`` counts it from the data."""
    slots: list[SlotEvents] = []
    total_cycles = reads = 0
    tiles = 0
    for group in groups(keeps, order):
        slot_events = [SlotEvents() for _ in group]
        tiles = 0
        for part_q in extents(q, array.cols):
            for part_p in extents(p, array.rows):
                count = part_q.count * part_p.count
                resumed = part_q.count * (part_p.count - (part_p.start == 0))
                tiles += count
                reads += count * s * part_p.size
                total_cycles += count * _tile_cycles(group, s, array)
                for slot, kept in enumerate(group):
                    once = _tile(kept, s, part_p.size, part_q.size, array.rows, count, resumed)
                    slot_events[slot] = SlotEvents(*(a + b for a, b in zip(slot_events[slot], once, strict=True)))
        slots += slot_events
    if array.double_buffered:
        total_cycles = double_buffered(keeps, order, s, tiles, array.rows, array.cols).cycles
    return Events(total_cycles, reads, reads * array.cols, tuple(slots))


def _tile_cycles(group: tuple[Keeps, ...], s: int, array: Accelerator) -> int:
    """Load, stream with its skew, and drain of one tile."""
    load = drain = 0
    for kept in group:
        load += array.rows if kept == "operand" else 0
        drain += array.rows if kept == "result" else 0
    return load + len(group) * s + (array.rows - 1) + (array.cols - 1) + drain


def _tile(kept: Keeps, s: int, p: int, q: int, rows: int, count: int, resumed: int) -> SlotEvents:
    """``count`` tiles of ``p`` x ``q`` real elements, of which ``resumed`` take partial sums out of the buffer."""
    if kept == "operand":
        return SlotEvents(
            macs=count * s * p * q,
            operand_reads=count * p * q,
            psum_reads=resumed * s * q,
            psum_writes=count * s * q,
            psum_hops=count * s * q * rows,
        )
    return SlotEvents(
        macs=count * s * p * q,
        operand_reads=count * s * q,
        operand_hops=count * s * q * rows,
        result_writes=count * p * q,
        acc_updates=count * s * p * q,
    )
