"""jaxgrad.array.passes.tallies: counts of a scan, column by column, and back."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.array.passes.combinators import interleave
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.tallies import add, as_events, no_tallies, summed, tally
from jaxgrad.array.passes.weight_stationary import weight_stationary
from tests.array.passes.compositions import as_ints

BOTH = interleave(weight_stationary(), output_stationary())


def test_cycles_are_added_up_by_the_iteration() -> None:
    counts = Events(jnp.ones(7, jnp.uint32), jnp.arange(7), 0, (SlotEvents(macs=jnp.arange(7) * 10),))
    columns = summed(counts, 1, 7, 3)
    assert columns.dtype == jnp.uint32
    assert columns.shape == (2, len(jax.tree.leaves(counts)))
    np.testing.assert_array_equal(columns[:, :4], [[3, 1 + 2 + 3, 0, 60], [3, 4 + 5 + 6, 0, 150]])
    np.testing.assert_array_equal(columns[:, 4:], 0)


def test_a_phase_of_one_slot_counts_for_that_slot() -> None:
    reads = jnp.array([4, 0, 3])
    tallies = no_tallies(BOTH)
    for count in tally(BOTH, 3, 1, SlotEvents(result_writes=reads)):
        tallies = add(tallies, count)
    assert as_ints(as_events(BOTH, tallies)) == Events(3, 0, 0, (SlotEvents(), SlotEvents(result_writes=7)))


def test_tallies_carry_past_32_bits() -> None:
    largest = tally(BOTH, 1, 0, SlotEvents(macs=jnp.full(1, 2**32 - 1, jnp.uint32)))[0]
    tallies = no_tallies(BOTH)
    for _ in range(3):
        tallies = add(tallies, largest)
    events = as_ints(as_events(BOTH, tallies))
    assert events == Events(3, 0, 0, (SlotEvents(macs=3 * (2**32 - 1)), SlotEvents()))
