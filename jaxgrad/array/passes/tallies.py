"""Events on their way through a scan: one exact count a column, turned back into ``Events`` at the end."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import UInt32

from jaxgrad.array import wide
from jaxgrad.array.passes.base import Pass
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.wide import Wide


def tally(pass_: Pass, cycles: int, slot: int, events: SlotEvents) -> UInt32[Array, "cycles counts"]:
    """The counts of a phase that one slot has to itself, cycle by cycle."""
    slots = tuple(events if i == slot else SlotEvents() for i in range(len(pass_.keeps)))
    return summed(Events(jnp.ones(cycles, jnp.uint32), 0, 0, slots), 0, cycles, 1)


def summed(events: Events, start: int, stop: int, step: int) -> UInt32[Array, "iterations counts"]:
    """Adds up the counts of every ``step`` cycles from ``start`` to ``stop``, a column a count."""
    iterations = (stop - start) // step
    columns = [
        jnp.zeros(iterations, jnp.uint32)
        if isinstance(leaf, int)
        else leaf[start:stop].astype(jnp.uint32).reshape(iterations, step).sum(1, dtype=jnp.uint32)
        for leaf in jax.tree.leaves(events)
    ]
    return jnp.stack(columns, axis=1)


def no_tallies(pass_: Pass) -> Wide:
    counts = len(jax.tree.leaves(Events(0, 0, 0, tuple(SlotEvents() for _ in pass_.keeps))))
    return Wide(jnp.zeros(counts, jnp.uint32), jnp.zeros(counts, jnp.uint32))


def add(tallies: Wide, count: UInt32[Array, " counts"]) -> Wide:
    return wide.add(tallies, Wide(jnp.zeros_like(count), count))


def as_events(pass_: Pass, tallies: Wide) -> Events:
    empty = Events(0, 0, 0, tuple(SlotEvents() for _ in pass_.keeps))
    leaves = [Wide(tallies.high[i], tallies.low[i]) for i in range(tallies.low.shape[0])]
    return jax.tree.unflatten(jax.tree.structure(empty), leaves)
