"""Many designs at once, in exact integers: the costs' own formulas under jit, on all devices there are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgrad.base.arithmetic import exact
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.designs import bounds, plans
from jaxgrad.designs.bounds import NONE
from jaxgrad.designs.devices import on_devices, padded
from jaxgrad.designs.plans import NEST_BITS, Found, Part
from jaxgrad.designs.problems import Problems
from jaxgrad.designs.questions import Arrays, Counts, Question
from jaxgrad.designs.splits import Splits, block
from jaxgrad.hardware import Precision


class Memories(NamedTuple):
    """What is tried behind each array: each scratchpad with each bandwidth.

    Args:
        usable_bytes: of the scratchpads, see ``Storage``.
        cycles, of_bytes: of the bandwidths.
        double_buffered: of all.
    """

    usable_bytes: np.ndarray
    cycles: np.ndarray
    of_bytes: np.ndarray
    double_buffered: bool


def with_memory(
    question: Question, problems: Problems, arrays: Arrays, memories: Memories, name: str = "network"
) -> tuple[Counts, Any]:
    """Counts of all layers together, and whether all of them fit.

    Args:
        question: what is asked.
        problems: the layers.
        arrays: G of them.
        memories: S scratchpads and W bandwidths.
        name: of the network, for messages.

    Returns:
        By phase and key, arrays of shape [G, S, W] that cannot overflow (``arithmetic.exact``), and a bool one
        [G, S]. Where a layer does not fit, the counts mean nothing.

    Raises:
        ValueError: 64 bits might not do.
    """
    totals: Counts = {}
    fits = np.ones((len(arrays.rows), len(memories.usable_bytes)), bool)
    devices = jax.device_count()
    rows, cols = (padded(values, devices) for values in (arrays.rows, arrays.cols))
    for group in question.groups(problems):
        choices = question.plans(group.dx, group.dw)
        if not choices:
            continue
        rates = list(zip(memories.cycles.tolist(), memories.of_bytes.tolist(), strict=True))
        bounds.check(question, group, arrays.rows, arrays.cols, rates, name)
        every = Arrays(rows, cols, question.double_buffered)
        splits, many = plans.tried(choices, group.shapes, every, memories.usable_bytes, question.precision)
        traced = memories.usable_bytes, memories.cycles, memories.of_bytes
        with jax.enable_x64(True):
            found, fit = _compiled(question, group.dx, group.dw, devices)(
                rows, cols, group.shapes, question.times(group), splits, many, traced
            )
        fits &= np.asarray(fit)[: len(arrays.rows)]
        for phase, counted in found.items():
            own = totals.setdefault(phase, {})
            for key, values in counted.items():
                own[key] = own.get(key, 0) + exact(np.asarray(values)[: len(arrays.rows)])
    return totals, fits


@functools.lru_cache(maxsize=256)
def _compiled(question: Question, dx: bool, dw: bool, devices: int) -> Callable[..., tuple[Counts, Any]]:
    choices = question.plans(dx, dw)

    def run(
        rows: Any, cols: Any, shapes: Shapes, times: Any, splits: Any, many: Any, memories: tuple[Any, Any, Any]
    ) -> tuple[Counts, Any]:
        usable, cycles, of_bytes = memories
        array = Arrays(rows, cols, question.double_buffered)
        storage = Storage(usable[:, None], cycles, of_bytes, question.memory_double_buffered)
        spread = Arrays(rows[:, None, None], cols[:, None, None], question.double_buffered)

        def layer(own: Shapes, tried: Any, count: Any) -> tuple[Counts, Any]:
            found = [
                [_search(part, own, array, storage, question.precision, tried, count) for part in plan]
                for plan in choices
            ]
            keys: list[Any] = [(sum(each.time for each in plan), sum(each.moved for each in plan)) for plan in found]
            fits = [functools.reduce(jnp.logical_and, [each.time < NONE for each in plan]) for plan in found]
            chosen, best = jnp.full(keys[0][0].shape, -1), keys[0]
            for index, (key, fit) in enumerate(zip(keys, fits, strict=True)):
                less = (key[0] < best[0]) | ((key[0] == best[0]) & (key[1] < best[1]))
                better = fit & ((chosen < 0) | less)
                chosen = jnp.where(better, index, chosen)
                best = tuple(jnp.where(better, new, old) for new, old in zip(key, best, strict=True))
            totals: Counts = {}
            for index, (plan, outcomes) in enumerate(zip(choices, found, strict=True)):
                for part, outcome in zip(plan, outcomes, strict=True):
                    counted = plans.counts(part, outcome, own, spread, storage, question.precision)
                    into = totals.setdefault(part.phase, {})
                    for key, value in counted.items():
                        into[key] = into.get(key, 0) + jnp.where(chosen == index, value, 0)
            return totals, jnp.all(chosen >= 0, axis=2)

        def step(carry: tuple[Counts, Any], each: tuple[Shapes, Any, Any, Any]) -> tuple[tuple[Counts, Any], None]:
            totals, fits = carry
            own, often, tried, count = each
            counted, fit = layer(own, tried, count)
            return (jax.tree.map(lambda total, value: total + often * value, totals, counted), fits & fit), None

        one = jax.tree.map(lambda values: values[0], (shapes, splits, many))
        shape = jax.eval_shape(layer, *one)
        zeros = jax.tree.map(lambda value: jnp.zeros(value.shape, value.dtype), shape[0])
        start = (zeros, jnp.ones(shape[1].shape, bool))
        return lax.scan(step, start, (shapes, times, splits, many))[0]

    return on_devices(run, 7, devices)


def _search(
    part: Part, shapes: Shapes, array: Arrays, storage: Storage, precision: Precision, splits: Any, count: Any
) -> Found:
    """The best block and nest by array, scratchpad and bandwidth: [G, S, W]. ``time`` is ``NONE`` where none fits."""
    usable_bytes: Any = storage.usable_bytes  # of the whole scratchpad: sweeps have no divided ones
    groups, sizes, rates = array.rows.shape[0], usable_bytes.shape[0], storage.cycles.shape[0]
    outer = Arrays(array.rows[:, None], array.cols[:, None], array.double_buffered)
    usable = usable_bytes[:, 0]

    def attempt(index: Any, best: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        own = block(shapes.sizes, Splits(*splits[index]), array)
        offer = plans.candidate(part, shapes, own, array, precision)
        # Of one block's nests the one that moves least: all else is the same.
        packed = plans.packed(part, offer)
        fitting = offer.needed_bytes[:, :, None] <= usable
        least = jnp.broadcast_to(jnp.min(jnp.where(fitting, packed[:, :, None], NONE), 0), (groups, sizes))
        edges = block(shapes.sizes, Splits(*splits[index]), outer)
        exposed = plans.exposed_cycles(part, shapes, edges, storage, precision)
        exposed = jnp.broadcast_to(exposed, (groups, rates))[:, None, :]
        fits = (least < NONE)[:, :, None]
        moved = jnp.where(fits, (least >> NEST_BITS)[:, :, None], 0)  # of what does not fit, nothing overflows either
        time = plans.time(offer.compute[:, None, None], exposed, moved, storage)
        better = fits & ((time < best[0]) | ((time == best[0]) & (least[:, :, None] < best[1])))
        return (
            jnp.where(better, time, best[0]),
            jnp.where(better, least[:, :, None], best[1]),
            jnp.where(better, index, best[2]),
        )

    shape = (groups, sizes, rates)
    start = jnp.full(shape, NONE), jnp.full(shape, NONE), jnp.zeros(shape, jnp.int64)
    time, packed, at = lax.fori_loop(0, count, attempt, start)
    chosen = splits[at]
    return Found(
        time, packed >> NEST_BITS, packed & ((1 << NEST_BITS) - 1), Splits(*(chosen[..., axis] for axis in range(3)))
    )
