"""jaxgrad.array.passes.stream: one tile's stream, from loaded registers to registers to be drained."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.array.passes.combinators import interleave
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.output_stationary import OutputStationary, output_stationary
from jaxgrad.array.passes.stream import Tile, stream
from jaxgrad.array.passes.tallies import as_events, no_tallies
from jaxgrad.array.passes.weight_stationary import WeightStationary, weight_stationary
from tests.array.passes.compositions import as_ints


def test_an_edge_tile_by_hand() -> None:
    """A 2 x 3 array of which one row and two columns are real, with partial sums to take up, and sums to add to."""
    pass_ = interleave(weight_stationary(), output_stationary())
    dy, w, x = [[2, 0], [0, 0], [3, 0]], [[5, 6, 0], [0, 0, 0]], [[1, 0, 0], [1, 1, 0], [1, 1, 0]]
    psums = [[10, 20, 0], [30, 40, 0], [50, 60, 0]]
    held = [[100, 100, 0], [0, 0, 0]]
    floats = [jnp.array(values, jnp.float32) for values in (dy, w, x, psums, held)]
    one, two = jnp.int32(1), jnp.int32(2)
    tile = Tile(floats[0], (floats[1], floats[2]), (floats[3], None), resumed=one, rows=one, cols=(two, two))
    registers = (WeightStationary(floats[1]), OutputStationary(floats[4]))
    run = jax.jit(lambda registers, tile: stream(pass_, registers, tile, no_tallies(pass_)))
    (_, accumulated), (dx, _), tallies = run(registers, tile)
    np.testing.assert_array_equal(dx, [[20, 32, 0], [30, 40, 0], [65, 78, 0]])
    np.testing.assert_array_equal(accumulated.acc, [[105, 103, 0], [0, 0, 0]])
    assert as_ints(as_events(pass_, tallies)) == Events(
        cycles=2 * 3 + 1 + 2,
        stream_reads=3,  # the real row, one word a streamed row
        stream_hops=9,  # each through all three columns
        slots=(
            # 2 * 5, 2 * 6, 3 * 5, 3 * 6; no 0 * w
            SlotEvents(macs=6, effectual_macs=4, psum_reads=6, psum_writes=6, psum_hops=12),
            # 2 * 1, 3 * 1, 3 * 1; no 2 * 0
            SlotEvents(macs=6, effectual_macs=3, operand_reads=6, operand_hops=12, acc_updates=6),
        ),
    )
