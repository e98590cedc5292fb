"""Register fidelity, double-buffered: one ``lax.scan`` over the clock, tiles overlapping in the array.

Each PE acts on the number of the wave that passes it, so a tile's head, the tail of the one before, the load of the
next and the drain of the last can all be in the array at once. Events are counted in every PE, every cycle.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Int, Num

from jaxgrad.array import wide
from jaxgrad.array.manual_axes import varied, vary_alike
from jaxgrad.array.passes.base import Pass, Registers, Wave
from jaxgrad.array.passes.edges import pad_to
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.timeline import Order, SlotTimeline, Timeline, double_buffered
from jaxgrad.array.wide import Wide


class Place(NamedTuple):
    """Which tile and which of its rows a wave belongs to, for one slot."""

    busy: Bool[Array, "..."]
    tile_p: Int[Array, "..."]
    tile_q: Int[Array, "..."]
    row: Int[Array, "..."]


class State(NamedTuple):
    """Everything that lasts from one cycle to the next."""

    registers: Registers
    h: Num[Array, "rows cols"]
    v: Num[Array, "rows cols"]
    buffers: tuple[Array, ...]
    events: Any


class Setup(NamedTuple):
    """What does not change during a run; sizes are those of the GEMM, ``p`` and ``q`` padded in the operands."""

    pass_: Pass
    timeline: Timeline
    h: Num[Array, "s padded_p"]
    operands: tuple[Array, ...]
    sizes: tuple[int, int, int]
    rows: int
    cols: int

    @property
    def tiles(self) -> tuple[int, int]:
        _, p, q = self.sizes
        return -(-p // self.rows), -(-q // self.cols)


def run(
    pass_: Pass, h: Num[Array, "s p"], operands: tuple[Array, ...], rows: int, cols: int, order: Order
) -> tuple[tuple[Array, ...], Events]:
    """Runs a pass with shadow registers over all tiles, ``q`` outer and ``p`` inner; as ``serial.run``.

    Args:
        order: whether the slots alternate on each streamed row, or run one after the other.
    """
    h, *rest = vary_alike(h, *operands)
    operands = tuple(rest)
    (s, p), q = h.shape, operands[0].shape[1]
    n_p, n_q = -(-p // rows), -(-q // cols)
    timeline = double_buffered(pass_.keeps, order, s, n_p * n_q, rows, cols)
    padded = tuple(
        pad_to(operand, n_p * rows if keeps == "operand" else s, n_q * cols)
        for keeps, operand in zip(pass_.keeps, operands, strict=True)
    )
    setup = Setup(pass_, timeline, pad_to(h, s, n_p * rows), padded, (s, p, q), rows, cols)
    heights = [s if keeps == "operand" else n_p * rows for keeps in pass_.keeps]
    links = jnp.zeros((rows, cols), h.dtype)
    zero = Wide(jnp.uint32(0), jnp.uint32(0))
    none = Events(zero, zero, zero, tuple(SlotEvents(*[zero] * len(SlotEvents._fields)) for _ in pass_.keeps))
    state = State(
        pass_.init(rows, cols, h.dtype),
        links,
        links,
        tuple(jnp.zeros((height, n_q * cols), h.dtype) for height in heights),
        none,
    )
    times = jnp.arange(timeline.cycles)
    state, _ = lax.scan(lambda state, time: (_cycle(setup, state, time), None), varied(state, h), times)
    results = tuple(
        buffer[: s if keeps == "operand" else p, :q] for keeps, buffer in zip(pass_.keeps, state.buffers, strict=True)
    )
    return results, state.events


def _place(setup: Setup, slot: SlotTimeline, wave: Int[Array, "..."]) -> Place:
    n_p, n_q = setup.tiles
    period = setup.timeline.period
    age = wave - slot.start
    tile, phase = age // period, age % period
    row = phase // slot.stride
    busy = (age >= 0) & (tile < n_p * n_q) & (row < setup.sizes[0]) & (phase % slot.stride == slot.offset)
    return Place(busy, tile % n_p, tile // n_p, row)


def _cycle(setup: Setup, state: State, time: Int[Array, ""]) -> State:
    """One clock cycle: drain, MAC, load, all from the registers as they stood at its start."""
    pass_, rows, cols = setup.pass_, setup.rows, setup.cols
    row, col = np.indices((rows, cols))
    wave = time - row - col
    places = [_place(setup, slot, wave) for slot in setup.timeline.slots]
    registers, buffers, counts = state.registers, list(state.buffers), [dict[str, Any]() for _ in pass_.keeps]

    for slot, keeps in enumerate(pass_.keeps):
        if keeps == "result":
            registers, buffers[slot], counts[slot]["result_writes"] = _drain(
                setup, slot, registers, buffers[slot], time
            )

    h_edge, h_entered = _left_edge(setup, time)
    v_edge, entered = _top_edge(setup, buffers, time)
    h = jnp.concatenate([h_edge[:, None], state.h[:, :-1]], axis=1)
    v = jnp.concatenate([v_edge[None], state.v[:-1]])
    owner = sum(jnp.where(place.busy, slot, 0) for slot, place in enumerate(places))
    first = _any(place.busy & (place.row == 0) for place in places)
    last = _any(place.busy & (place.row == setup.sizes[0] - 1) for place in places)
    registers, v, multiplicand = pass_.step(registers, h, v, Wave(jnp.asarray(owner), first, last))

    for slot, (keeps, place) in enumerate(zip(pass_.keeps, places, strict=True)):
        buffers[slot], left = _bottom_edge(setup, slot, buffers[slot], v[-1], time)
        real = place.busy & _real(setup, place, row, col)
        moves = _moving(place.busy & _real(setup, place, None, col))
        met = real.sum(dtype=jnp.uint32)
        useful = (real & wide.nonzero(h) & wide.nonzero(multiplicand)).sum(dtype=jnp.uint32)
        counts[slot] |= {"macs": met, "effectual_macs": useful}
        if keeps == "operand":
            registers, loaded = _load(setup, slot, registers, time)
            counts[slot] |= {"operand_reads": loaded, "psum_reads": entered[slot]}
            counts[slot] |= {"psum_writes": left, "psum_hops": moves}
        else:
            counts[slot] |= {"operand_reads": entered[slot], "operand_hops": moves, "acc_updates": met}

    new_values = _any(
        place.busy & _real(setup, place, row, None)
        for slot, place in zip(setup.timeline.slots, places, strict=True)
        if slot.offset == 0
    )
    happened = Events(jnp.uint32(1), h_entered, _moving(new_values), tuple(SlotEvents(**count) for count in counts))
    events = jax.tree.map(_accumulate, state.events, happened, is_leaf=lambda leaf: isinstance(leaf, Wide))
    return State(registers, h, v, tuple(buffers), events)


def _real(setup: Setup, place: Place, row: np.ndarray | None, col: np.ndarray | None) -> Bool[Array, "..."]:
    """Whether the PE's row and column stand for real elements of the tile, not for padding."""
    _, p, q = setup.sizes
    real = jnp.ones(place.busy.shape, bool)
    if row is not None:
        real &= place.tile_p * setup.rows + row < p
    if col is not None:
        real &= place.tile_q * setup.cols + col < q
    return real


def _left_edge(setup: Setup, time: Int[Array, ""]) -> tuple[Num[Array, " rows"], Array]:
    """What enters each row, and how many words were read: a row held for several slots is read in the first."""
    row = np.arange(setup.rows)
    edge, reads = jnp.zeros(setup.rows, setup.h.dtype), jnp.uint32(0)
    for slot in setup.timeline.slots:
        place = _place(setup, slot, time - row)
        values = setup.h[place.row, place.tile_p * setup.rows + row]
        edge = jnp.where(place.busy, values, edge)
        if slot.offset == 0:
            reads += (place.busy & _real(setup, place, row, None)).sum(dtype=jnp.uint32)
    return edge, reads


def _top_edge(setup: Setup, buffers: list[Array], time: Int[Array, ""]) -> tuple[Num[Array, " cols"], list[Array]]:
    """What enters each column: the operand, or the partial sum so far; and the words read for each slot."""
    col = np.arange(setup.cols)
    edge, reads = jnp.zeros(setup.cols, setup.h.dtype), []
    for slot, (keeps, timing) in enumerate(zip(setup.pass_.keeps, setup.timeline.slots, strict=True)):
        place = _place(setup, timing, time - col)
        read = place.busy & (place.tile_p > 0) if keeps == "operand" else place.busy
        source = buffers[slot] if keeps == "operand" else setup.operands[slot]
        values = source[place.row, place.tile_q * setup.cols + col]
        edge = jnp.where(place.busy, jnp.where(read, values, 0), edge)
        reads.append((read & _real(setup, place, None, col)).sum(dtype=jnp.uint32))
    return edge, reads


def _bottom_edge(
    setup: Setup, slot: int, buffer: Array, bottom: Num[Array, " cols"], time: Int[Array, ""]
) -> tuple[Array, Array]:
    """Writes the partial sums that leave the bottom row to the buffer; they can be read in the next cycle."""
    if setup.pass_.keeps[slot] == "result":
        return buffer, jnp.uint32(0)
    col = np.arange(setup.cols)
    place = _place(setup, setup.timeline.slots[slot], time - (setup.rows - 1) - col)
    target = jnp.where(place.busy, place.row, buffer.shape[0])
    buffer = buffer.at[target, place.tile_q * setup.cols + col].set(bottom, mode="drop")
    return buffer, (place.busy & _real(setup, place, None, col)).sum(dtype=jnp.uint32)


def _load(setup: Setup, slot: int, registers: Registers, time: Int[Array, ""]) -> tuple[Registers, Array]:
    """Shifts the next tile's operand into the shadow registers, each column one cycle after its left neighbour.

    A row is overwritten only once the wave that brings its weight into use has passed.
    """
    rows, cols = setup.rows, setup.cols
    row, col = np.indices((rows, cols))
    n_p, n_q = setup.tiles
    since = time - setup.timeline.slots[slot].load - col
    tile, step = since // setup.timeline.period, since % setup.timeline.period
    loading = (since >= 0) & (tile < n_p * n_q) & (step < rows)
    place = Place(loading[0], tile[0] % n_p, tile[0] // n_p, rows - 1 - step[0])
    source = place.tile_p * rows + place.row
    top = setup.operands[slot][source, place.tile_q * cols + col[0]]
    registers, _ = setup.pass_.shift(registers, slot, top, loading & (step >= row))
    read = place.busy & _real(setup, place, np.asarray(0), col[0]) & (source < setup.sizes[1])
    return registers, read.sum(dtype=jnp.uint32)


def _drain(
    setup: Setup, slot: int, registers: Registers, buffer: Array, time: Int[Array, ""]
) -> tuple[Registers, Array, Array]:
    """Shifts the finished tile's result down and out, each column one cycle after its left neighbour."""
    rows, cols = setup.rows, setup.cols
    row, col = np.indices((rows, cols))
    n_p, n_q = setup.tiles
    since = time - setup.timeline.slots[slot].drain - (rows - 1) - col
    tile, step = since // setup.timeline.period, since % setup.timeline.period
    draining = (since >= 0) & (tile < n_p * n_q) & (step < rows)
    zeros = jnp.zeros(cols, buffer.dtype)
    registers, bottom = setup.pass_.shift(registers, slot, zeros, draining & (step < row))
    target = tile[0] % n_p * rows + rows - 1 - step[0]
    column = tile[0] // n_p * cols + col[0]
    real = draining[0] & (target < setup.sizes[1]) & (column < setup.sizes[2])
    buffer = buffer.at[jnp.where(real, target, buffer.shape[0]), column].set(bottom, mode="drop")
    return registers, buffer, real.sum(dtype=jnp.uint32)


def _moving(values: Bool[Array, "rows cols"]) -> Array:
    """How many registers take a new value this cycle."""
    return values.sum(dtype=jnp.uint32)


def _any(planes: Any) -> Array:
    result = None
    for plane in planes:
        result = plane if result is None else result | plane
    assert result is not None, "a pass has at least one slot"
    return result


def _accumulate(so_far: Wide, count: Any) -> Wide:
    return wide.add(so_far, Wide(jnp.uint32(0), jnp.asarray(count, jnp.uint32)))
