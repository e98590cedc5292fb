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
from jaxgrad.array.passes.base import Pass
from jaxgrad.array.wide import Wide


class Extent(NamedTuple):
    """``count`` blocks of ``size`` each, from ``start``: the full tiles along an axis, or the one at its edge."""

    start: int
    count: int
    size: int


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
        Each slot's result (``[s, q]`` or ``[p, q]``), and each slot's effectual MACs, added up tile by tile.
    """
    zero, h, *rest = vary_alike(jnp.uint32(0), h, *operands)
    operands = tuple(rest)
    parts_p = extents(h.shape[1], rows)
    parts_q = extents(operands[0].shape[1], cols)
    h_blocks = [_columns(h, part) for part in parts_p]
    effectual = tuple(Wide(zero, zero) for _ in pass_.keeps)
    columns: list[tuple[Array, ...]] = []
    for part in parts_q:
        operand_blocks = tuple(_columns(operand, part) for operand in operands)

        def column(effectual: Any, blocks: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
            results, effectual = _column(pass_, parts_p, h_blocks, blocks, effectual)
            return effectual, results

        effectual, results = _scan(column, effectual, operand_blocks, part.count)
        columns.append(tuple(jnp.moveaxis(r, 0, 1).reshape(r.shape[1], part.count * part.size) for r in results))
    results = tuple(jnp.concatenate(slot, axis=1) for slot in zip(*columns, strict=True))
    return results, effectual


def _column(
    pass_: Pass, parts_p: list[Extent], h_blocks: list[Array], operands: tuple[Array, ...], effectual: Any
) -> tuple[tuple[Array, ...], Any]:
    """One column of tiles: the partial sums stay in the buffer from tile to tile."""
    psums: tuple[Array | None, ...] = tuple(None for _ in pass_.keeps)
    drained: list[list[Array]] = [[] for _ in pass_.keeps]
    for part, h_block in zip(parts_p, h_blocks, strict=True):
        kept = tuple(
            operand[part.start : part.start + part.count * part.size].reshape(part.count, part.size, -1)
            if keeps == "operand"
            else None
            for keeps, operand in zip(pass_.keeps, operands, strict=True)
        )

        def tile(carry: Any, block: Any) -> tuple[Any, tuple[Array | None, ...]]:
            psums, effectual = carry
            h, kept = block
            slot_operands = tuple(k if k is not None else operand for k, operand in zip(kept, operands, strict=True))
            results = pass_.tile(h, slot_operands, psums)
            effectual = jax.tree.map(wide.add, effectual, _effectual(pass_, h, slot_operands), is_leaf=_is_wide)
            moving = tuple(r if k == "operand" else None for k, r in zip(pass_.keeps, results, strict=True))
            still = tuple(r if k == "result" else None for k, r in zip(pass_.keeps, results, strict=True))
            return (moving, effectual), still

        if psums == (None,) * len(psums) and part.count > 1 and "operand" in pass_.keeps:
            # The first tile starts from nothing; the scan over the others carries its partial sums.
            first = jax.tree.map(lambda a: a[0], (h_block, kept))
            (psums, effectual), still = tile((psums, effectual), first)
            rest = jax.tree.map(lambda a: a[1:], (h_block, kept))
            (psums, effectual), more = _scan(tile, (psums, effectual), rest, part.count - 1)
            still = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), still, more)
        else:
            (psums, effectual), still = _scan(tile, (psums, effectual), (h_block, kept), part.count)
        for slot, blocks in enumerate(still):
            if blocks is not None:
                drained[slot].append(blocks.reshape(part.count * part.size, -1))
    results = tuple(
        psum if psum is not None else jnp.concatenate(blocks) for psum, blocks in zip(psums, drained, strict=True)
    )
    return results, effectual


def _effectual(pass_: Pass, h: Num[Array, "s p"], operands: tuple[Array, ...]) -> tuple[Wide, ...]:
    """MACs of one tile whose operands are both non-zero: each word of h meets a row of the slot's operand."""
    counts = []
    for keeps, operand in zip(pass_.keeps, operands, strict=True):
        operand_nonzeros = wide.count_nonzero(operand, 1)
        h_nonzeros = wide.count_nonzero(h, 0 if keeps == "operand" else 1)
        counts.append(wide.dot(h_nonzeros, operand_nonzeros))
    return tuple(counts)


def _columns(values: Num[Array, "m n"], part: Extent) -> Num[Array, "count m size"]:
    block = values[:, part.start : part.start + part.count * part.size]
    return jnp.moveaxis(block.reshape(-1, part.count, part.size), 1, 0)


def _scan(body: Any, carry: Any, blocks: Any, count: int) -> Any:
    """``lax.scan``, without a loop where there is one block."""
    if count > 1:
        return lax.scan(body, carry, blocks)
    carry, out = body(carry, jax.tree.map(lambda block: block[0], blocks))
    return carry, jax.tree.map(lambda block: block[None], out)


def _is_wide(leaf: Any) -> bool:
    return isinstance(leaf, Wide)
