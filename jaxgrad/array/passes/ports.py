"""What crosses the edges of the array in one cycle of ``overlapped``: streams, partial sums, loads and drains.

What a lane of an edge carries follows from the number of the wave that passes it: which tile, and which of its rows.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int, Num

from jaxgrad.array.passes.base import Pass, Registers
from jaxgrad.array.passes.timeline import SlotTimeline, Timeline


class Place(NamedTuple):
    """Which tile and which of its rows a wave belongs to, for one slot."""

    busy: Bool[Array, "..."]
    tile_p: Int[Array, "..."]
    tile_q: Int[Array, "..."]
    row: Int[Array, "..."]


class Setup(NamedTuple):
    """What does not change during a run; sizes are ``s`` and ``p`` of the GEMM, widths each slot's ``q``; the operands
    are padded."""

    pass_: Pass
    timeline: Timeline
    h: Num[Array, "s padded_p"]
    operands: tuple[Array, ...]
    sizes: tuple[int, int]
    widths: tuple[int, ...]
    rows: int
    cols: int

    @property
    def tiles(self) -> tuple[int, int]:
        return -(-self.sizes[1] // self.rows), -(-max(self.widths) // self.cols)


def place_of(setup: Setup, slot: SlotTimeline, wave: Int[Array, "..."]) -> Place:
    n_p, n_q = setup.tiles
    period = setup.timeline.period
    age = wave - slot.start
    tile, phase = age // period, age % period
    row = phase // slot.stride
    busy = (age >= 0) & (tile < n_p * n_q) & (row < setup.sizes[0]) & (phase % slot.stride == slot.offset)
    return Place(busy, tile % n_p, tile // n_p, row)


def is_real(
    setup: Setup, slot: int, place: Place, row: np.ndarray | None, col: np.ndarray | None
) -> Bool[Array, "..."]:
    """Whether the PE's row and column stand for real elements of the slot's tile, not for padding."""
    p, q = setup.sizes[1], setup.widths[slot]
    real = jnp.ones(place.busy.shape, bool)
    if row is not None:
        real &= place.tile_p * setup.rows + row < p
    if col is not None:
        real &= place.tile_q * setup.cols + col < q
    return real


def left_edge(
    setup: Setup, buffers: list[Array], time: Int[Array, ""]
) -> tuple[Num[Array, " rows"], Array, dict[int, Array]]:
    """What enters each row: the operand, or the partial sum so far of a slot that sends its sums to the right.

    Returns:
        The words; how many of the operand were read, a row held for several slots being read in the first; and how
        many partial sums, by slot.
    """
    row = np.arange(setup.rows)
    edge, reads, sums = jnp.zeros(setup.rows, setup.h.dtype), jnp.uint32(0), {}
    for slot, (keeps, timing) in enumerate(zip(setup.pass_.keeps, setup.timeline.slots, strict=True)):
        place = place_of(setup, timing, time - row)
        lane, real = place.tile_p * setup.rows + row, is_real(setup, slot, place, row, None)
        if keeps == "nothing":
            read = place.busy & (place.tile_q > 0)
            values = jnp.where(read, buffers[slot][place.row, lane], 0)
            sums[slot] = (read & real).sum(dtype=jnp.uint32)
        else:
            values = setup.h[place.row, lane]
            if timing.offset == 0:
                reads += (place.busy & real).sum(dtype=jnp.uint32)
        edge = jnp.where(place.busy, values, edge)
    return edge, reads, sums


def top_edge(setup: Setup, buffers: list[Array], time: Int[Array, ""]) -> tuple[Num[Array, " cols"], list[Array]]:
    """What enters each column: the operand, or the partial sum so far; and the words read for each slot."""
    col = np.arange(setup.cols)
    edge, reads = jnp.zeros(setup.cols, setup.h.dtype), []
    for slot, (keeps, timing) in enumerate(zip(setup.pass_.keeps, setup.timeline.slots, strict=True)):
        place = place_of(setup, timing, time - col)
        read = place.busy & (place.tile_p > 0) if keeps == "operand" else place.busy
        source = buffers[slot] if keeps == "operand" else setup.operands[slot]
        values = source[place.row, place.tile_q * setup.cols + col]
        edge = jnp.where(place.busy, jnp.where(read, values, 0), edge)
        reads.append((read & is_real(setup, slot, place, None, col)).sum(dtype=jnp.uint32))
    return edge, reads


def far_edge(
    setup: Setup,
    slot: int,
    buffer: Array,
    right: Num[Array, " rows"],
    bottom: Num[Array, " cols"],
    time: Int[Array, ""],
) -> tuple[Array, Array]:
    """Writes the partial sums that leave at the bottom, or at the right, to the buffer; they can be read in the next
    cycle."""
    keeps = setup.pass_.keeps[slot]
    if keeps == "result":
        return buffer, jnp.uint32(0)
    downwards = keeps == "operand"
    lane = np.arange(setup.cols if downwards else setup.rows)
    crossing = (setup.rows if downwards else setup.cols) - 1
    place = place_of(setup, setup.timeline.slots[slot], time - crossing - lane)
    first = place.tile_q * setup.cols if downwards else place.tile_p * setup.rows
    target = jnp.where(place.busy, place.row, buffer.shape[0])
    buffer = buffer.at[target, first + lane].set(bottom if downwards else right, mode="drop")
    real = is_real(setup, slot, place, *((None, lane) if downwards else (lane, None)))
    return buffer, (place.busy & real).sum(dtype=jnp.uint32)


def load(setup: Setup, slot: int, registers: Registers, time: Int[Array, ""]) -> tuple[Registers, Array]:
    """Shifts the next tile's operand in; with shadow registers each column one cycle after its left neighbour.

    A row is overwritten only once the wave that brings its weight into use has passed.
    """
    rows, cols = setup.rows, setup.cols
    row, col = np.indices((rows, cols))
    n_p, n_q = setup.tiles
    since = time - setup.timeline.slots[slot].load - col * setup.timeline.lag
    tile, step = since // setup.timeline.period, since % setup.timeline.period
    loading = (since >= 0) & (tile < n_p * n_q) & (step < rows)
    place = Place(loading[0], tile[0] % n_p, tile[0] // n_p, rows - 1 - step[0])
    source = place.tile_p * rows + place.row
    top = setup.operands[slot][source, place.tile_q * cols + col[0]]
    registers, _ = setup.pass_.shift(registers, slot, top, loading & (step >= row))
    read = place.busy & is_real(setup, slot, place, np.asarray(0), col[0]) & (source < setup.sizes[1])
    return registers, read.sum(dtype=jnp.uint32)


def drain(
    setup: Setup, slot: int, registers: Registers, buffer: Array, time: Int[Array, ""]
) -> tuple[Registers, Array, Array]:
    """Shifts the finished tile's result down and out; with shadow registers each column one cycle after its left
    neighbour."""
    rows, cols = setup.rows, setup.cols
    row, col = np.indices((rows, cols))
    n_p, n_q = setup.tiles
    since = time - setup.timeline.slots[slot].drain - (rows - 1) - col * setup.timeline.lag
    tile, step = since // setup.timeline.period, since % setup.timeline.period
    draining = (since >= 0) & (tile < n_p * n_q) & (step < rows)
    zeros = jnp.zeros(cols, buffer.dtype)
    # Without shadow registers the zeros that follow the sums clear the accumulators.
    moving = draining & (step < row) if setup.timeline.lag else draining
    registers, bottom = setup.pass_.shift(registers, slot, zeros, moving)
    target = tile[0] % n_p * rows + rows - 1 - step[0]
    column = tile[0] // n_p * cols + col[0]
    real = draining[0] & (target < setup.sizes[1]) & (column < setup.widths[slot])
    buffer = buffer.at[jnp.where(real, target, buffer.shape[0]), column].set(bottom, mode="drop")
    return registers, buffer, real.sum(dtype=jnp.uint32)
