"""Tile fidelity: a matmul a tile in the array's order of accumulation, with the buffers as explicit state.

Full tiles run in a ``lax.scan``; the edge tiles, whose real extents differ, run beside it, so that no arithmetic is
spent on padding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jaxgrad.array import wide
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.array.passes.base import Keeps, Pass, lender
from jaxgrad.array.passes.edges import pad_to
from jaxgrad.array.wide import Wide


class Extent(NamedTuple):
    """``count`` blocks of ``size`` each, from ``start``: the full tiles along an axis, or the one at its edge."""

    start: int
    count: int
    size: int


Slots = tuple[Array | None, ...]
"""An array for some of the slots."""


def extents(length: int, tile: int) -> list[Extent]:
    """The full blocks of an axis and, where the tile does not divide it, the block at its edge."""
    whole, rest = divmod(length, tile)
    parts = [Extent(0, whole, tile), Extent(whole * tile, 1, rest)]
    return [part for part in parts if part.count and part.size]


def run(
    pass_: Pass, h: Num[Array, "s p"], operands: tuple[Array, ...], rows: int, cols: int
) -> tuple[tuple[Array, ...], tuple[Wide, ...]]:
    """Runs a pass over all tiles, ``q`` outer and ``p`` inner; the arguments are those of ``serial.run``.

    Returns:
        Each slot's result (``[s, q]``, ``[p, q]`` or ``[s, p]``), and each slot's effectual MACs, added up tile by
        tile.
    """
    zero, h, *rest = vary_alike(jnp.uint32(0), h, *operands)
    widths = [operand.shape[1] for operand in rest]
    operands = tuple(pad_to(operand, operand.shape[0], max(widths)) for operand in rest)
    parts_p = extents(h.shape[1], rows)
    parts_q = extents(max(widths), cols)
    h_blocks = [_columns(h, part) for part in parts_p]
    # What goes from one column of tiles to the next: effectual MACs, and sums that flow right, by part and slot.
    effectual = tuple(Wide(zero, zero) for _ in pass_.keeps)
    right: list[Slots] = [
        tuple(jnp.zeros_like(block) if keeps == "nothing" else None for keeps in pass_.keeps) for block in h_blocks
    ]
    columns: list[Any] = []
    for part in parts_q:
        operand_blocks = tuple(_columns(operand, part) for operand in operands)

        def column(carry: Any, blocks: tuple[Array, ...]) -> tuple[Any, Slots]:
            effectual, right = carry
            results, right, effectual = _column(pass_, parts_p, h_blocks, blocks, right, effectual)
            return (effectual, right), results

        (effectual, right), results = _scan(column, (effectual, right), operand_blocks, part.count)
        columns.append(jax.tree.map(_side_by_side, results))
    flowed: list[Any] = [jax.tree.map(_side_by_side, part) for part in right]
    results = tuple(
        jnp.concatenate([part[slot] for part in flowed], axis=1)
        if keeps == "nothing"
        else jnp.concatenate([part[slot] for part in columns], axis=1)[:, : widths[slot]]
        for slot, keeps in enumerate(pass_.keeps)
    )
    return results, effectual


def _column(
    pass_: Pass,
    parts_p: list[Extent],
    h_blocks: list[Array],
    operands: tuple[Array, ...],
    right: list[Slots],
    effectual: Any,
) -> tuple[Slots, list[Slots], Any]:
    """One column of tiles: partial sums that flow down stay in the buffer from tile to tile."""
    psums: Slots = tuple(None for _ in pass_.keeps)
    drained: list[list[Array]] = [[] for _ in pass_.keeps]
    flowed: list[Slots] = []
    for part, h_block, part_right in zip(parts_p, h_blocks, right, strict=True):
        kept = tuple(
            operand[part.start : part.start + part.count * part.size].reshape(part.count, part.size, -1)
            if keeps == "operand"
            else None
            for keeps, operand in zip(pass_.keeps, operands, strict=True)
        )

        def tile(carry: Any, block: Any) -> tuple[Any, tuple[Slots, Slots]]:
            psums, effectual = carry
            h, kept, right = block
            slot_operands = tuple(k if k is not None else operand for k, operand in zip(kept, operands, strict=True))
            sums = tuple(r if r is not None else psum for r, psum in zip(right, psums, strict=True))
            results = pass_.tile(h, slot_operands, sums)
            effectual = jax.tree.map(wide.add, effectual, _effectual(pass_, h, slot_operands), is_leaf=_is_wide)
            down, still, right = (_keeping(kind, pass_, results) for kind in ("operand", "result", "nothing"))
            return (down, effectual), (still, right)

        blocks = h_block, kept, part_right
        if psums == (None,) * len(psums) and part.count > 1 and "operand" in pass_.keeps:
            # The first tile starts from nothing; the scan over the others carries its partial sums.
            first, rest = (jax.tree.map(lambda a, at=at: a[at], blocks) for at in (0, slice(1, None)))
            (psums, effectual), out = tile((psums, effectual), first)
            (psums, effectual), more = _scan(tile, (psums, effectual), rest, part.count - 1)
            out = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), out, more)
        else:
            (psums, effectual), out = _scan(tile, (psums, effectual), blocks, part.count)
        still, part_right = out
        flowed.append(part_right)
        for slot, values in enumerate(still):
            if values is not None:
                drained[slot].append(values.reshape(part.count * part.size, -1))
    results = tuple(
        psum if psum is not None else jnp.concatenate(blocks) if blocks else None
        for psum, blocks in zip(psums, drained, strict=True)
    )
    return results, flowed, effectual


def _keeping(kind: Keeps, pass_: Pass, results: Slots) -> Slots:
    """The results of the slots that keep this."""
    return tuple(result if keeps == kind else None for keeps, result in zip(pass_.keeps, results, strict=True))


def _effectual(pass_: Pass, h: Num[Array, "s p"], operands: tuple[Array, ...]) -> tuple[Wide, ...]:
    """MACs of one tile whose operands are both non-zero: each word of h meets a row of the slot's operand.

    Of a slot that keeps nothing, a column of its operand meets the same column of what it uses.
    """
    counts = []
    for slot, (keeps, operand) in enumerate(zip(pass_.keeps, operands, strict=True)):
        if keeps == "nothing":
            used = operands[lender(pass_.keeps, slot)]
            counts.append(wide.dot(wide.count_nonzero(used, 0), wide.count_nonzero(operand, 0)))
            continue
        operand_nonzeros = wide.count_nonzero(operand, 1)
        h_nonzeros = wide.count_nonzero(h, 0 if keeps == "operand" else 1)
        counts.append(wide.dot(h_nonzeros, operand_nonzeros))
    return tuple(counts)


def _columns(values: Num[Array, "m n"], part: Extent) -> Num[Array, "count m size"]:
    block = values[:, part.start : part.start + part.count * part.size]
    return jnp.moveaxis(block.reshape(-1, part.count, part.size), 1, 0)


def _side_by_side(blocks: Num[Array, "count m size"]) -> Num[Array, "m n"]:
    """The inverse of ``_columns``."""
    return jnp.moveaxis(blocks, 0, 1).reshape(blocks.shape[1], -1)


def _scan(body: Any, carry: Any, blocks: Any, count: int) -> Any:
    """``lax.scan``, without a loop where there is one block."""
    if count > 1:
        return lax.scan(body, carry, blocks)
    carry, out = body(carry, jax.tree.map(lambda block: block[0], blocks))
    return carry, jax.tree.map(lambda block: block[None], out)


def _is_wide(leaf: Any) -> bool:
    return isinstance(leaf, Wide)
