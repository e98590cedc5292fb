"""Register fidelity, one tile after another: load, stream, drain, each a ``lax.scan`` over clock cycles.

The carry holds the register planes. The stream advances a few cycles an iteration, so that ``h``, which only moves
right, can move by a window instead of a copy a cycle; what every cycle does is unchanged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int32, UInt32

from jaxgrad import wide
from jaxgrad.passes.base import Pass, Registers, Wave
from jaxgrad.passes.edges import pad_to, skew, unskew
from jaxgrad.passes.events import Events, SlotEvents
from jaxgrad.wide import Wide

# Eight cycles an iteration hide the shift of h, the counting and the loop's own dispatch on CPU.
_CYCLES_AN_ITERATION = 8
# Columns of tiles do not depend on each other. On a small array some are emulated side by side, so that a step of the
# loop has about as many PEs to update as it takes to outweigh its dispatch, and their planes still fit a core's cache.
_PES_AT_ONCE = 1 << 12


class Tile(NamedTuple):
    """What one tile is given: blocks padded to the array, and how much of it is real.

    Args:
        h: the shared operand's block, ``[s, rows]``.
        operands: each slot's, ``[rows, cols]`` or ``[s, cols]``.
        psums: the partial sums so far of each slot, ``[s, cols]``; None for a slot that keeps its result.
        resumed: 1 where the partial sums come out of the buffer, 0 where they start from nothing.
        rows, cols: real rows and columns.
    """

    h: Float[Array, "s rows"]
    operands: tuple[Array, ...]
    psums: tuple[Array | None, ...]
    resumed: Int32[Array, ""]
    rows: Int32[Array, ""]
    cols: Int32[Array, ""]


def run(
    pass_: Pass, h: Float[Array, "s p"], operands: tuple[Array, ...], rows: int, cols: int
) -> tuple[tuple[Array, ...], Events]:
    """Runs a pass over all tiles, k outer and n inner (``q`` outer, ``p`` inner).

    Args:
        pass_: the dataflow.
        h: the horizontal operand.
        operands: each slot's operand, ``[p, q]`` where the slot keeps it, else ``[s, q]``.
        rows, cols: the array's size.

    Returns:
        Each slot's result (``[s, q]`` or ``[p, q]``) and the events, counted as they happened.
    """
    s, p = h.shape
    q = operands[0].shape[1]
    n_p, n_q = -(-p // rows), -(-q // cols)
    h_blocks = pad_to(h, s, n_p * rows).reshape(s, n_p, rows).transpose(1, 0, 2)
    columns = tuple(
        _column_blocks(pad_to(operand, n_p * rows if keeps == "operand" else s, n_q * cols), n_q)
        for keeps, operand in zip(pass_.keeps, operands, strict=True)
    )
    registers = pass_.init(rows, cols, h.dtype)

    def column(block: tuple[Any, ...]) -> tuple[Wide, tuple[Array, ...]]:
        index_q, *own = block
        by_row = tuple(
            operand.reshape(n_p, rows, cols) if keeps == "operand" else None
            for keeps, operand in zip(pass_.keeps, own, strict=True)
        )
        psums = tuple(jnp.zeros((s, cols), h.dtype) if keeps == "operand" else None for keeps in pass_.keeps)

        def tile(carry: tuple[Any, ...], block: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Array | None, ...]]:
            psums, tallies = carry
            index_p, h_block, kept = block
            given = Tile(
                h_block,
                tuple(k if k is not None else o for k, o in zip(kept, own, strict=True)),
                psums,
                jnp.minimum(index_p, 1),
                jnp.minimum(rows, p - index_p * rows),
                jnp.minimum(cols, q - index_q * cols),
            )
            results, tallies = _run_tile(pass_, registers, given, tallies)
            moving = tuple(r if k == "operand" else None for k, r in zip(pass_.keeps, results, strict=True))
            kept_results = tuple(r if k == "result" else None for k, r in zip(pass_.keeps, results, strict=True))
            return (moving, tallies), kept_results

        (psums, tallies), drained = lax.scan(tile, (psums, _no_tallies(pass_)), (jnp.arange(n_p), h_blocks, by_row))
        whole = tuple(
            psum if block is None else block.reshape(n_p * rows, cols)
            for psum, block in zip(psums, drained, strict=True)
        )
        return tallies, whole

    at_once = max(1, _PES_AT_ONCE // (rows * cols))
    tallies, blocks = lax.map(column, (jnp.arange(n_q), *columns), batch_size=min(at_once, n_q))
    sizes = (s if keeps == "operand" else p for keeps in pass_.keeps)
    results = tuple(
        block.transpose(1, 0, 2).reshape(block.shape[1], -1)[:size, :q]
        for block, size in zip(blocks, sizes, strict=True)
    )
    return results, _as_events(pass_, wide.fold(tallies, 1))


def _column_blocks(values: Float[Array, "m n"], n_q: int) -> Float[Array, "n_q m cols"]:
    return values.reshape(values.shape[0], n_q, -1).transpose(1, 0, 2)


def _run_tile(pass_: Pass, registers: Registers, tile: Tile, tallies: Wide) -> tuple[tuple[Array, ...], Wide]:
    for slot, keeps in enumerate(pass_.keeps):
        if keeps == "operand":
            registers, tallies = _load(pass_, slot, registers, tile, tallies)
    registers, streamed, tallies = _stream(pass_, registers, tile, tallies)
    results = []
    for slot, keeps in enumerate(pass_.keeps):
        if keeps == "operand":
            results.append(streamed[slot])
        else:
            registers, drained, tallies = _drain(pass_, slot, registers, tile, tallies)
            results.append(drained)
    return tuple(results), tallies


def _load(pass_: Pass, slot: int, registers: Registers, tile: Tile, tallies: Wide) -> tuple[Registers, Wide]:
    """Shifts the operand in from the top, its last row first, ``cols`` words a cycle."""
    operand = tile.operands[slot]
    row = jnp.arange(operand.shape[0])[::-1]
    reads = jnp.where(row < tile.rows, tile.cols, 0)
    counts = _tally(pass_, row.shape[0], slot, SlotEvents(operand_reads=reads))

    def cycle(carry: tuple[Registers, Wide], edge: tuple[Array, Array]) -> tuple[tuple[Registers, Wide], None]:
        registers, tallies = carry
        top, count = edge
        registers, _ = pass_.shift(registers, slot, top, True)
        return (registers, _add(tallies, count)), None

    return lax.scan(cycle, (registers, tallies), (operand[::-1], counts))[0]


def _drain(pass_: Pass, slot: int, registers: Registers, tile: Tile, tallies: Wide) -> tuple[Registers, Array, Wide]:
    """Shifts the result out at the bottom, its last row first; the zeros that follow clear the accumulators."""
    rows, cols = tile.h.shape[1], tile.operands[slot].shape[1]
    row = jnp.arange(rows)[::-1]
    counts = _tally(pass_, rows, slot, SlotEvents(result_writes=jnp.where(row < tile.rows, tile.cols, 0)))
    zeros = jnp.zeros(cols, tile.h.dtype)

    def cycle(carry: tuple[Registers, Wide], count: Array) -> tuple[tuple[Registers, Wide], Array]:
        registers, tallies = carry
        registers, bottom = pass_.shift(registers, slot, zeros, True)
        return (registers, _add(tallies, count)), bottom

    (registers, tallies), out = lax.scan(cycle, (registers, tallies), counts)
    return registers, out[::-1], tallies


def _stream(pass_: Pass, registers: Registers, tile: Tile, tallies: Wide) -> tuple[Registers, list[Array], Wide]:
    """Streams every row of h, held for one cycle a slot, and returns what left each slot's vertical link."""
    slots = len(pass_.keeps)
    (s, rows), cols = tile.h.shape, tile.operands[0].shape[1]
    cycles = slots * s + rows + cols - 2
    step = slots * -(-_CYCLES_AN_ITERATION // slots)
    whole = cycles - cycles % step
    feeds = [psum if psum is not None else operand for psum, operand in zip(tile.psums, tile.operands, strict=True)]
    h_edge = skew(jnp.repeat(tile.h, slots, axis=0), cycles)
    v_edge = skew(jnp.stack(feeds, axis=1).reshape(slots * s, cols), cycles).T
    counts = _stream_counts(pass_, tile, cycles)
    links = jnp.zeros((rows, cols), tile.h.dtype)
    carry = (registers, links, links, tallies)

    def advance(carry: tuple[Any, ...], edge: tuple[Array, Array, Array]) -> tuple[tuple[Any, ...], Array]:
        registers, h, v, tallies = carry
        h_in, v_in, count = edge
        length = v_in.shape[0]
        # Column j of the window is what column 0 receives j - length + 1 cycles ago: h moves right a cycle at a time.
        window = jnp.concatenate([h_in[:, ::-1], h], axis=1)
        out = []
        for cycle in range(length):
            h = lax.slice_in_dim(window, length - 1 - cycle, length - 1 - cycle + cols, axis=1)
            v = jnp.concatenate([v_in[cycle : cycle + 1], v[:-1]])
            registers, v, _ = pass_.step(registers, h, v, Wave(_owner(cycle, rows, cols, slots)))
            out.append(v[-1])
        return (registers, h, v, _add(tallies, count)), jnp.stack(out)

    bottoms = []
    if whole:
        edges = (
            h_edge[:, :whole].reshape(rows, -1, step).transpose(1, 0, 2),
            v_edge[:whole].reshape(-1, step, cols),
            _summed(counts, 0, whole, step),
        )
        carry, out = lax.scan(advance, carry, edges)
        bottoms.append(out.reshape(whole, cols))
    if whole < cycles:
        carry, out = advance(
            carry, (h_edge[:, whole:], v_edge[whole:], _summed(counts, whole, cycles, cycles - whole)[0])
        )
        bottoms.append(out)
    left = unskew(jnp.concatenate(bottoms), slots * s, rows - 1).reshape(s, slots, cols)
    registers, _, _, tallies = carry
    return registers, [left[:, slot] for slot in range(slots)], tallies


def _owner(cycle: int, rows: int, cols: int, slots: int) -> np.ndarray:
    """Whose turn it is in each PE: the slots alternate along the wavefront, one hop a cycle."""
    row, col = np.indices((rows, cols))
    return (cycle - row - col) % slots


def _stream_counts(pass_: Pass, tile: Tile, cycles: int) -> Events:
    """What happens in each cycle of the stream, counted at the array's edges; leaves ``[cycles]``.

    Every value that enters an edge passes the whole array, so its moves and MACs are known as it enters; a sum over
    the plane in every cycle would cost several times the emulation itself.
    """
    slots = len(pass_.keeps)
    (s, rows), cols = tile.h.shape, tile.operands[0].shape[1]
    nonzero_h = wide.nonzero(tile.h)
    real_cols = tile.cols.astype(jnp.uint32)

    def busy(real: Array, slot: int, delay: int = 0) -> Array:
        """How many of the first ``real`` lanes of a skewed edge one slot uses in each cycle."""
        time = jnp.arange(cycles) - delay
        oldest, newest = jnp.minimum(time, slots * s - 1), jnp.maximum(time - real + 1, 0)
        lanes = (oldest - slot) // slots - (newest - 1 - slot) // slots
        return jnp.maximum(lanes, 0).astype(jnp.uint32)

    def as_read(counts: Array, slot: int) -> Array:
        """Counts of each streamed row, in the cycle in which the row is read."""
        held = jnp.pad(counts[:, None], ((0, 0), (slot, slots - 1 - slot))).reshape(-1)
        return jnp.pad(held, (0, cycles - held.shape[0]))

    h_in = busy(tile.rows, 0)
    each = []
    for slot, keeps in enumerate(pass_.keeps):
        v_in, v_out = busy(tile.cols, slot), busy(tile.cols, slot, rows - 1)
        met = busy(tile.rows, slot) * real_cols
        nonzero_operand = wide.nonzero(tile.operands[slot]).sum(1, dtype=jnp.uint32)
        if keeps == "operand":
            # A word of h that enters row r meets the weights which that row holds.
            useful = (nonzero_h * nonzero_operand).sum(1, dtype=jnp.uint32)
            events = SlotEvents(
                macs=met,
                effectual_macs=as_read(useful, slot),
                psum_reads=v_in * tile.resumed.astype(jnp.uint32),
                psum_writes=v_out,
                psum_hops=v_in * jnp.uint32(rows),
            )
        else:
            # The words of one row of h meet those of the same row of the operand, each with each.
            useful = nonzero_h.sum(1, dtype=jnp.uint32) * nonzero_operand
            events = SlotEvents(
                macs=met,
                effectual_macs=as_read(useful, slot),
                operand_reads=v_in,
                operand_hops=v_in * jnp.uint32(rows),
                acc_updates=met,
            )
        each.append(events)
    return Events(jnp.ones(cycles, jnp.uint32), h_in, h_in * jnp.uint32(cols), tuple(each))


def _tally(pass_: Pass, cycles: int, slot: int, own: SlotEvents) -> UInt32[Array, "cycles counts"]:
    """The counts of a phase that one slot has to itself, cycle by cycle."""
    each = tuple(own if i == slot else SlotEvents() for i in range(len(pass_.keeps)))
    return _summed(Events(jnp.ones(cycles, jnp.uint32), 0, 0, each), 0, cycles, 1)


def _summed(events: Events, start: int, stop: int, step: int) -> UInt32[Array, "iterations counts"]:
    """Adds up the counts of every ``step`` cycles from ``start`` to ``stop``, a column a count."""
    iterations = (stop - start) // step
    columns = [
        jnp.zeros(iterations, jnp.uint32)
        if isinstance(leaf, int)
        else leaf[start:stop].astype(jnp.uint32).reshape(iterations, step).sum(1, dtype=jnp.uint32)
        for leaf in jax.tree.leaves(events)
    ]
    return jnp.stack(columns, axis=1)


def _no_tallies(pass_: Pass) -> Wide:
    counts = len(jax.tree.leaves(Events(0, 0, 0, tuple(SlotEvents() for _ in pass_.keeps))))
    return Wide(jnp.zeros(counts, jnp.uint32), jnp.zeros(counts, jnp.uint32))


def _add(tallies: Wide, count: UInt32[Array, " counts"]) -> Wide:
    return wide.add(tallies, Wide(jnp.zeros_like(count), count))


def _as_events(pass_: Pass, tallies: Wide) -> Events:
    empty = Events(0, 0, 0, tuple(SlotEvents() for _ in pass_.keeps))
    leaves = [Wide(tallies.high[i], tallies.low[i]) for i in range(tallies.low.shape[0])]
    return jax.tree.unflatten(jax.tree.structure(empty), leaves)
