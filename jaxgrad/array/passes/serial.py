"""Register fidelity, one tile after another: load, stream, drain, each a ``lax.scan`` over clock cycles.

It emulates a column of tiles by itself, so it is not for passes that send sums to the right.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jaxgrad.array import wide
from jaxgrad.array.manual_axes import varied, vary_alike
from jaxgrad.array.passes.base import Pass, Registers
from jaxgrad.array.passes.edges import pad_to
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.stream import Tile, stream
from jaxgrad.array.passes.tallies import add, as_events, no_tallies, tally
from jaxgrad.array.wide import Wide

# Columns of tiles do not depend on each other. On a small array some are emulated side by side, so that a step of the
# loop has about as many PEs to update as it takes to outweigh its dispatch, and their planes still fit a core's cache.
_PES_AT_ONCE = 1 << 12


def run(
    pass_: Pass, h: Num[Array, "s p"], operands: tuple[Array, ...], rows: int, cols: int
) -> tuple[tuple[Array, ...], Events]:
    """Runs a pass over all tiles, k outer and n inner (``q`` outer, ``p`` inner).

    Args:
        pass_: the dataflow.
        h: the horizontal operand.
        operands: each slot's operand, ``[p, q]`` where the slot keeps it, else ``[s, q]``; q may differ from slot to
            slot, and the widest sets the tiles.
        rows, cols: the array's size.

    Returns:
        Each slot's result (``[s, q]`` or ``[p, q]``) and the events, counted as they happened.
    """
    assert "nothing" not in pass_.keeps, "sums go from a column of tiles to the next one: run it by overlapped"
    h, *rest = vary_alike(h, *operands)
    operands = tuple(rest)
    s, p = h.shape
    widths = [operand.shape[1] for operand in operands]
    n_p, n_q = -(-p // rows), -(-max(widths) // cols)
    h_blocks = pad_to(h, s, n_p * rows).reshape(s, n_p, rows).transpose(1, 0, 2)
    columns = tuple(
        _column_blocks(pad_to(operand, n_p * rows if keeps == "operand" else s, n_q * cols), n_q)
        for keeps, operand in zip(pass_.keeps, operands, strict=True)
    )
    registers = _zero_as_any(varied(pass_.init(rows, cols, h.dtype), h))

    def column(block: tuple[Any, ...]) -> tuple[Wide, tuple[Array, ...]]:
        index_q, *slot_blocks = block
        by_row = tuple(
            operand.reshape(n_p, rows, cols) if keeps == "operand" else None
            for keeps, operand in zip(pass_.keeps, slot_blocks, strict=True)
        )
        zeros = _zero_as_any(jnp.zeros((s, cols), h.dtype))
        psums = tuple(zeros if keeps == "operand" else None for keeps in pass_.keeps)

        def tile(carry: tuple[Any, ...], block: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Array | None, ...]]:
            psums, tallies = carry
            index_p, h_block, kept = block
            inputs = Tile(
                h_block,
                tuple(k if k is not None else o for k, o in zip(kept, slot_blocks, strict=True)),
                psums,
                jnp.minimum(index_p, 1),
                jnp.minimum(rows, p - index_p * rows),
                tuple(jnp.clip(q - index_q * cols, 0, cols) for q in widths),
            )
            results, tallies = _run_tile(pass_, registers, inputs, tallies)
            moving = tuple(r if k == "operand" else None for k, r in zip(pass_.keeps, results, strict=True))
            kept_results = tuple(r if k == "result" else None for k, r in zip(pass_.keeps, results, strict=True))
            return (moving, tallies), kept_results

        start = varied((psums, no_tallies(pass_)), h)
        (psums, tallies), drained = lax.scan(tile, start, (jnp.arange(n_p), h_blocks, by_row))
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
        for block, size, q in zip(blocks, sizes, widths, strict=True)
    )
    return results, as_events(pass_, wide.fold(tallies, 1))


def _zero_as_any(start: Any) -> Any:
    """Zeros that XLA does not know to be such: else it leaves out the addition that a sum of one product begins with,
    and what is -0 stays -0."""
    return lax.optimization_barrier(start)


def _column_blocks(values: Num[Array, "m n"], n_q: int) -> Num[Array, "n_q m cols"]:
    return values.reshape(values.shape[0], n_q, -1).transpose(1, 0, 2)


def _run_tile(pass_: Pass, registers: Registers, tile: Tile, tallies: Wide) -> tuple[tuple[Array, ...], Wide]:
    for slot, keeps in enumerate(pass_.keeps):
        if keeps == "operand":
            registers, tallies = _load(pass_, slot, registers, tile, tallies)
    registers, streamed, tallies = stream(pass_, registers, tile, tallies)
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
    reads = jnp.where(row < tile.rows, tile.cols[slot], 0)
    counts = tally(pass_, row.shape[0], slot, SlotEvents(operand_reads=reads))

    def cycle(carry: tuple[Registers, Wide], edge: tuple[Array, Array]) -> tuple[tuple[Registers, Wide], None]:
        registers, tallies = carry
        top, count = edge
        registers, _ = pass_.shift(registers, slot, top, True)
        return (registers, add(tallies, count)), None

    return lax.scan(cycle, (registers, tallies), (operand[::-1], counts))[0]


def _drain(pass_: Pass, slot: int, registers: Registers, tile: Tile, tallies: Wide) -> tuple[Registers, Array, Wide]:
    """Shifts the result out at the bottom, its last row first; the zeros that follow clear the accumulators."""
    rows, cols = tile.h.shape[1], tile.operands[slot].shape[1]
    row = jnp.arange(rows)[::-1]
    counts = tally(pass_, rows, slot, SlotEvents(result_writes=jnp.where(row < tile.rows, tile.cols[slot], 0)))
    zeros = jnp.zeros(cols, tile.h.dtype)

    def cycle(carry: tuple[Registers, Wide], count: Array) -> tuple[tuple[Registers, Wide], Array]:
        registers, tallies = carry
        registers, bottom = pass_.shift(registers, slot, zeros, True)
        return (registers, add(tallies, count)), bottom

    (registers, tallies), out = lax.scan(cycle, (registers, tallies), counts)
    return registers, out[::-1], tallies
