"""The best block and nest of one part of a plan, on many machines at once: ``costs.search`` under jit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxgrad.base.arithmetic import is_float, minimum
from jaxgrad.costs.search import Alternatives
from jaxgrad.costs.transfers import Shapes, Storage, exposed_cycles, waiting_cycles
from jaxgrad.designs import bounds, candidates
from jaxgrad.designs.bounds import NEST_BITS, NONE, ORDER_BITS
from jaxgrad.designs.grid import Grid
from jaxgrad.designs.plans import Part
from jaxgrad.designs.questions import Arrays
from jaxgrad.hardware import Precision

_BLOCKS = 32  # of a layer, looked at together


class Outcome(NamedTuple):
    """The best runs of one part, by scratchpad, bandwidth and array: [S, W, G].

    Args:
        cycles: stalls included; ``NONE`` where none fits.
        moved_bytes: to and from DRAM.
        nest: the number of its nest.
        block: the number of its block in the ``Grid``.
    """

    cycles: Any
    moved_bytes: Any
    nest: Any
    block: Any


class _Best(NamedTuple):
    """The best of the blocks so far.

    Args:
        cycles: stalls included.
        rank: bytes moved and order (``bounds.packed``); of runs that take as many cycles the least is the best.
        choice: the place of the block in its batch, and the nest.
        batch: the number of the batch.
    """

    cycles: Any
    rank: Any
    choice: Any
    batch: Any


def search(part: Part, shapes: Shapes, array: Arrays, storage: Storage, precision: Precision, blocks: Grid) -> Outcome:
    """The best block and nest; of equally good ones that of the first order, then the first block, then nest.

    Args:
        part: what is computed, and the nests to choose from.
        shapes: of one layer.
        array: G of them.
        storage: S scratchpads along the first of three axes, W bandwidths along the second.
        precision: number formats.
        blocks: to choose from.
    """
    usable: Any = storage.usable_bytes  # of the whole scratchpad: sweeps have no divided ones
    number, designs = array.rows.dtype, array.rows.shape[0]
    none = jnp.asarray(NONE, number)
    places = jnp.arange(_BLOCKS, dtype=number)[:, None]
    groups = candidates.alike(part)

    def ranked(moved_bytes: Sequence[Any]) -> list[Any]:
        """Of nests that need the same, the one that moves least will do for all scratchpads."""
        codes = [
            bounds.packed(moved, order, nest)
            for nest, (moved, order) in enumerate(zip(moved_bytes, part.orders, strict=True))
        ]
        return [minimum(*(codes[nest] for nest in nests)) for nests in groups]

    def batch(index: Any, state: tuple[_Best, dict[str, Any]]) -> tuple[_Best, dict[str, Any]]:
        """The blocks of one batch, [B, G], against the best of those before, and the lengths of the next batch's."""
        best, block = state
        first = index.astype(number) * _BLOCKS
        exists = first + places < blocks.size
        compute = Alternatives(part.choices).cycles(shapes.sizes, block, array, unrolled=True)
        exposed = exposed_cycles(part.nests[0], shapes, block, by_rate, precision)
        exposed = jnp.broadcast_to(exposed, (storage.cycles.shape[0], *compute.shape))
        needed = candidates.needed_by_nest(part, shapes, block, precision)
        always = None if part.alternates else ranked(candidates.moved_by_nest(part, shapes, block, precision))
        # However little they move, and hold: what no block of the batch can do without.
        fastest = _least(jnp.where(exists, compute + exposed, none), 1)
        smallest = jnp.min(minimum(*needed))

        def within(one: tuple[Any, Any]) -> Any:
            """The code of each block's best nest that fits into one scratchpad; [B, G]."""
            usable_bytes, hopeful = one

            def tried() -> Any:
                ranks = always
                if ranks is None:
                    held = storage._replace(usable_bytes=usable_bytes)
                    ranks = ranked(candidates.alternating_bytes(part, shapes, block, needed, held, precision))
                code = jnp.full(exists.shape, none)
                for nests, rank in zip(groups, ranks, strict=True):
                    code = jnp.where((needed[nests[0]] <= usable_bytes) & (rank < code), rank, code)
                return jnp.where(exists, code, none)

            return lax.cond(hopeful, tried, lambda: jnp.full(exists.shape, none))

        def fastest_block(one: tuple[Any, Any]) -> tuple[Any, Any, Any]:
            """In one scratchpad the least cycles, of the blocks that take as many the least rank, and which that is."""
            code, hopeful = one

            def tried() -> tuple[Any, Any, Any]:
                fits = code < none
                # Of what does not fit, nothing overflows either.
                ranks = _quotient(jnp.where(fits, code, 0), 1 << NEST_BITS)
                choices = places * (1 << NEST_BITS) + (code - ranks * (1 << NEST_BITS))
                waiting = waiting_cycles(compute, _quotient(ranks, 1 << ORDER_BITS), exposed, by_rate)
                cycles = jnp.where(fits, compute + waiting, none)
                least = _least(cycles, 1)
                rank = _least(jnp.where(cycles == least[:, None], ranks, none), 1)
                alike = (cycles == least[:, None]) & (ranks == rank[:, None])
                return least, rank, _least(jnp.where(alike, choices, none), 1)

            return lax.cond(hopeful, tried, lambda: (jnp.full(shape[1:], none),) * 3)

        # One scratchpad after the other, in two loops: in one, codes would be computed again for each bandwidth.
        hopeful = (smallest <= usable[:, 0, 0]) & jnp.any(fastest <= best.cycles, (1, 2))
        codes = lax.map(within, (usable[:, 0, 0], hopeful))
        cycles, rank, choice = lax.map(fastest_block, (codes, hopeful))
        # A block that came before stays, unless this one moves less or is of an earlier order.
        better = (cycles < best.cycles) | ((cycles == best.cycles) & (rank < best.rank))
        new = _Best(cycles, rank, choice, index.astype(number))
        best = _Best(*(jnp.where(better, one, other) for one, other in zip(new, best, strict=True)))
        # The loop's state is computed once; within its body, XLA would compute lengths again wherever they are used.
        return best, blocks.block(jnp.broadcast_to(first + _BLOCKS + places, exists.shape))

    by_rate = storage._replace(cycles=storage.cycles[..., None], of_bytes=storage.of_bytes[..., None])
    shape = (usable.shape[0], storage.cycles.shape[0], designs)
    # Where single tiles do not fit, nothing does, and nothing is looked for.
    single = candidates.needed_by_nest(part, shapes, blocks.block(blocks.size - 1), precision)
    possible = jnp.broadcast_to(minimum(*single) <= usable, (shape[0], 1, designs))
    worst = jnp.full(shape, none)
    start = _Best(jnp.where(possible, worst, -1), worst, jnp.zeros(shape, number), jnp.zeros(shape, number))
    first = blocks.block(jnp.broadcast_to(places, (_BLOCKS, designs)))
    batches = -(-jnp.max(blocks.size).astype(jnp.int32) // _BLOCKS)
    best, _ = lax.fori_loop(0, batches, batch, (start, first))
    place = _quotient(best.choice, 1 << NEST_BITS)
    return Outcome(
        jnp.where(possible, best.cycles, none),
        _quotient(best.rank, 1 << ORDER_BITS),
        (best.choice - place * (1 << NEST_BITS)).astype(jnp.int32),
        best.batch * _BLOCKS + place,
    )


def _least(values: Any, axis: int) -> Any:
    """The least along an axis, one vector operation after the other: a reduction takes one number at a time."""
    slices = [lax.index_in_dim(values, place, axis, keepdims=False) for place in range(values.shape[axis])]
    return minimum(*slices)


def _quotient(number: Any, divisor: int) -> Any:
    """Rounded down, by a power of two."""
    return jnp.floor(number / divisor) if is_float(number) else number // divisor
