"""The stream phase of one tile at register fidelity: a ``lax.scan`` over clock cycles.

The carry holds the register planes. An iteration advances a few cycles, so that ``h``, which only moves right, can move
by a window instead of a copy a cycle; what every cycle does is unchanged. Memory grows with
the streamed rows only by skewed copies of the edges, never by planes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Int, Num

from jaxgrad.array import wide
from jaxgrad.array.manual_axes import varied
from jaxgrad.array.passes.base import Pass, Registers, Wave
from jaxgrad.array.passes.edges import skew, unskew
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.tallies import add, summed
from jaxgrad.array.wide import Wide

# Eight cycles an iteration hide the shift of h, the counting and the loop's own dispatch on CPU.
_CYCLES_AN_ITERATION = 8


class Tile(NamedTuple):
    """What one tile is given: blocks padded to the array, and how much of it is real.

    Args:
        h: the shared operand's block, ``[s, rows]``.
        operands: each slot's, ``[rows, cols]`` or ``[s, cols]``.
        psums: the partial sums so far of each slot, ``[s, cols]``; None for a slot that keeps its result.
        resumed: 1 where the partial sums come out of the buffer, 0 where they start from nothing.
        rows, cols: real rows, and real columns of each slot.
    """

    h: Num[Array, "s rows"]
    operands: tuple[Array, ...]
    psums: tuple[Array | None, ...]
    resumed: Int[Array, ""]
    rows: Int[Array, ""]
    cols: tuple[Int[Array, ""], ...]


def stream(pass_: Pass, registers: Registers, tile: Tile, tallies: Wide) -> tuple[Registers, list[Array], Wide]:
    """Streams every row of h, held for one cycle a slot.

    Returns:
        The registers, what left each slot's vertical link (``[s, cols]``), and the tallies.
    """
    slots = len(pass_.keeps)
    (s, rows), cols = tile.h.shape, tile.operands[0].shape[1]
    cycles = slots * s + rows + cols - 2
    step = slots * -(-_CYCLES_AN_ITERATION // slots)
    whole = cycles - cycles % step
    counts = _stream_counts(pass_, tile, cycles)
    feeds = [psum if psum is not None else operand for psum, operand in zip(tile.psums, tile.operands, strict=True)]
    h_edge = skew(jnp.repeat(tile.h.T, slots, axis=1), cycles)
    v_edge = skew(jnp.stack([feed.T for feed in feeds], axis=2).reshape(cols, slots * s), cycles).T
    links = varied(jnp.zeros((rows, cols), tile.h.dtype), tile.h)
    carry = (registers, links, links, tallies)

    def iteration(carry: tuple[Any, ...], edge: tuple[Array, Array, Array]) -> tuple[tuple[Any, ...], Array]:
        registers, h, v, tallies = carry
        h_in, v_in, count = edge
        length = v_in.shape[0]
        # Column j of the window is what column 0 receives j - length + 1 cycles ago: h moves right a cycle at a time.
        window = jnp.concatenate([h_in[:, ::-1], h], axis=1)
        out = []
        for cycle in range(length):
            h = lax.slice_in_dim(window, length - 1 - cycle, length - 1 - cycle + cols, axis=1)
            v = jnp.concatenate([v_in[cycle : cycle + 1], v[:-1]])
            registers, v, *_ = pass_.step(registers, h, v, Wave(_owner(cycle, rows, cols, slots)))
            out.append(v[-1])
        return (registers, h, v, add(tallies, count)), jnp.stack(out)

    bottoms = []
    if whole:
        edges = (
            h_edge[:, :whole].reshape(rows, -1, step).transpose(1, 0, 2),
            v_edge[:whole].reshape(-1, step, cols),
            summed(counts, 0, whole, step),
        )
        carry, out = lax.scan(iteration, carry, edges)
        bottoms.append(out.reshape(whole, cols))
    if whole < cycles:
        rest = summed(counts, whole, cycles, cycles - whole)[0]
        carry, out = iteration(carry, (h_edge[:, whole:], v_edge[whole:], rest))
        bottoms.append(out)
    left = unskew(jnp.concatenate(bottoms).T, slots * s, rows - 1).reshape(cols, s, slots)
    registers, _, _, tallies = carry
    return registers, [left[:, :, slot].T for slot in range(slots)], tallies


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
    slot_events = []
    for slot, keeps in enumerate(pass_.keeps):
        v_in, v_out = busy(tile.cols[slot], slot), busy(tile.cols[slot], slot, rows - 1)
        met = busy(tile.rows, slot) * tile.cols[slot].astype(jnp.uint32)
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
        slot_events.append(events)
    return Events(jnp.ones(cycles, jnp.uint32), h_in, h_in * jnp.uint32(cols), tuple(slot_events))
