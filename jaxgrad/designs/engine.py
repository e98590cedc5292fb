"""Many designs at once, in whole numbers: the full search of ``costs.search`` under jit, on all devices there are.

Parts of plans are searched first, each once for all questions that have it; then each question takes its best plans.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgrad.base.arithmetic import exact
from jaxgrad.costs.cuts import FULL, Cuts
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.designs import bounds, candidates, grid, outcomes
from jaxgrad.designs.bounds import NONE
from jaxgrad.designs.devices import on_devices, padded
from jaxgrad.designs.grid import Grid
from jaxgrad.designs.outcomes import Outcome
from jaxgrad.designs.plans import Part
from jaxgrad.designs.problems import Group, Problems
from jaxgrad.designs.questions import Arrays, Counts, Question
from jaxgrad.hardware import Precision

_ARRAYS = 32  # those that have about as many blocks, looked at together, at most
_VECTOR = 4  # numbers that a vector unit takes at once
_THREADS = 2  # compile one search while another one runs


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


class _Inputs(NamedTuple):
    """What is computed with, in one type of number.

    Args:
        pieces: which arrays are looked at together.
        arrays: of each piece rows and columns, as many in each.
        shapes, counts: of the layers, and into how many parts their axes are cut.
        memories: usable bytes, and the bandwidths' two.
    """

    pieces: list[np.ndarray]
    arrays: list[tuple[np.ndarray, np.ndarray]]
    shapes: Shapes
    counts: np.ndarray
    memories: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, group: Group, arrays: Arrays, memories: Memories, cuts: Cuts, number: Any, devices: int) -> _Inputs:
        # Those that have about as many blocks keep each other waiting least.
        order = np.argsort(grid.blocks(group.shapes, arrays, cuts), kind="stable")
        pieces = np.array_split(order, -(-len(order) // (_ARRAYS * devices)))
        multiple = _VECTOR * devices if len(pieces) > 1 else devices
        together = -(-len(pieces[0]) // multiple) * multiple
        usable = np.minimum(memories.usable_bytes, bounds.MOST_USABLE_BYTES)
        return cls(
            pieces,
            [
                (padded(rows[piece], together).astype(number), padded(cols[piece], together).astype(number))
                for rows, cols in [(arrays.rows, arrays.cols)]
                for piece in pieces
            ],
            group.shapes.each(lambda values: values.astype(number)),
            grid.counts(group.shapes, cuts).astype(number),
            (usable.astype(number), memories.cycles.astype(number), memories.of_bytes.astype(number)),
        )


class _Asked(NamedTuple):
    """A question about one group of layers, and by plan the searches for its parts, one outcome a piece of arrays."""

    group: Group
    inputs: _Inputs
    plans: list[list[Future[list[Outcome]]]]


def with_memory(
    questions: Sequence[Question],
    problems: Problems,
    arrays: Arrays,
    memories: Memories,
    name: str = "network",
    cuts: Cuts = FULL,
) -> list[tuple[Counts, Any]]:
    """Of each question the counts of all layers together, and whether all of them fit.

    Args:
        questions: what is asked.
        problems: the layers.
        arrays: G of them.
        memories: S scratchpads and W bandwidths.
        name: of the network, for messages.
        cuts: into how many parts axes may be cut.

    Returns:
        By phase and key, arrays of shape [G, S, W] that cannot overflow (``arithmetic.exact``), and a bool one
        [G, S]. Where a layer does not fit, the counts mean nothing.

    Raises:
        ValueError: 64 bits might not do.
    """
    devices = jax.device_count()
    rates = list(zip(memories.cycles.tolist(), memories.of_bytes.tolist(), strict=True))
    inputs: dict[Any, _Inputs] = {}
    searches: dict[Any, Future[list[Outcome]]] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = []
        for question in questions:
            asked = []
            for group in question.groups(problems):
                plans = question.plans(group.dx, group.dw)
                if not plans:
                    continue
                number = bounds.check(question, group, arrays.rows, arrays.cols, rates, name)
                key = (*question.conditions, question.forward is None and (group.dx, group.dw), number)
                if key not in inputs:
                    inputs[key] = _Inputs.of(group, arrays, memories, cuts, number, devices)
                for part in dict.fromkeys(part for plan in plans for part in plan):
                    if (part, key) not in searches:
                        searches[part, key] = pool.submit(_outcomes, part, question, inputs[key], devices)
                by_part = [[searches[part, key] for part in plan] for plan in plans]
                asked.append(_Asked(group, inputs[key], by_part))
            # What an answer waits for was submitted before it, and so is running.
            shape = (len(arrays.rows), len(memories.usable_bytes), len(rates))
            answers.append(pool.submit(_answer, question, asked, shape, devices))
        return [answer.result() for answer in answers]


def _outcomes(part: Part, question: Question, inputs: _Inputs, devices: int) -> list[Outcome]:
    """The best runs of one part, for each piece of the arrays: [G, layers, S, W]."""
    run = _searching(part, question.double_buffered, question.memory_double_buffered, question.precision, devices)
    with jax.enable_x64(True):
        return [run(*sides, inputs.shapes, inputs.counts, inputs.memories) for sides in inputs.arrays]


def _answer(
    question: Question, asked: Sequence[_Asked], shape: tuple[int, int, int], devices: int
) -> tuple[Counts, Any]:
    """All groups of layers together."""
    totals: Counts = {}
    fits = np.ones(shape[:2], bool)
    for group, inputs, plans in asked:
        count = _counting(question, group.dx, group.dw, devices)
        for place, (piece, sides) in enumerate(zip(inputs.pieces, inputs.arrays, strict=True)):
            best_runs = [[search.result()[place] for search in plan] for plan in plans]
            times = question.times(group)
            with jax.enable_x64(True):
                counted, fit = count(*sides, best_runs, inputs.shapes, times, inputs.counts, inputs.memories)
            fits[piece] &= np.asarray(fit)[: len(piece)]
            for phase, by_key in counted.items():
                into = totals.setdefault(phase, {})
                for key, values in by_key.items():
                    total = into.setdefault(key, np.zeros(shape, object))
                    total[piece] += np.asarray(values)[: len(piece)]
    return {phase: {key: exact(values) for key, values in into.items()} for phase, into in totals.items()}, fits


@functools.lru_cache(maxsize=256)
def _searching(
    part: Part, double_buffered: bool, memory_double_buffered: bool, precision: Precision, devices: int
) -> Callable[..., Outcome]:
    def run(rows: Any, cols: Any, shapes: Shapes, counts: Any, memories: tuple[Any, Any, Any]) -> Outcome:
        array, storage = Arrays(rows, cols, double_buffered), _storage(memories, memory_double_buffered)

        def layer(shapes: Shapes) -> Outcome:
            return outcomes.search(part, shapes, array, storage, precision, Grid.of(shapes, array, counts))

        return jax.tree.map(lambda values: jnp.moveaxis(values, 3, 0), lax.map(layer, shapes))

    return on_devices(run, 2, 3, devices)


@functools.lru_cache(maxsize=256)
def _counting(question: Question, dx: bool, dw: bool, devices: int) -> Callable[..., tuple[Counts, Any]]:
    choices = question.plans(dx, dw)

    def run(
        rows: Any,
        cols: Any,
        best_runs: list[list[Outcome]],
        shapes: Shapes,
        times: Any,
        counts: Any,
        memories: tuple[Any, Any, Any],
    ) -> tuple[Counts, Any]:
        array, storage = (
            Arrays(rows, cols, question.double_buffered),
            _storage(memories, question.memory_double_buffered),
        )
        none = jnp.asarray(NONE, rows.dtype)

        def layer(shapes: Shapes, plans: list[list[Outcome]]) -> tuple[Counts, Any]:
            blocks = Grid.of(shapes, array, counts)
            keys: list[Any] = [
                (sum(part.cycles for part in plan), sum(part.moved_bytes for part in plan)) for plan in plans
            ]
            fits = [functools.reduce(jnp.logical_and, [part.cycles < none for part in plan]) for plan in plans]
            chosen, best = jnp.full(keys[0][0].shape, -1), keys[0]
            for index, (key, fit) in enumerate(zip(keys, fits, strict=True)):
                less = (key[0] < best[0]) | ((key[0] == best[0]) & (key[1] < best[1]))
                better = fit & ((chosen < 0) | less)
                chosen = jnp.where(better, index, chosen)
                best = tuple(jnp.where(better, new, old) for new, old in zip(key, best, strict=True))
            totals: Counts = {}
            for index, (plan, parts) in enumerate(zip(choices, plans, strict=True)):
                for part, outcome in zip(plan, parts, strict=True):
                    block = blocks.block(outcome.block)
                    counted = candidates.counts(part, outcome.nest, block, shapes, array, storage, question.precision)
                    into = totals.setdefault(part.phase, {})
                    for key, value in counted.items():
                        into[key] = into.get(key, 0) + jnp.where(chosen == index, value, 0)
            return totals, jnp.all(chosen >= 0, axis=1)

        def step(carry: tuple[Counts, Any], one: tuple[Shapes, Any, Any]) -> tuple[tuple[Counts, Any], None]:
            totals, fits = carry
            shapes, often, plans = one
            counted, fit = layer(shapes, plans)
            return (
                jax.tree.map(lambda total, value: total + often * value.astype(jnp.int64), totals, counted),
                fits & fit,
            ), None

        by_layer = shapes, times, jax.tree.map(lambda values: jnp.moveaxis(values, 0, 3), best_runs)
        one_shape, _, one_plans = jax.tree.map(lambda values: values[0], by_layer)
        shape = jax.eval_shape(layer, one_shape, one_plans)
        zeros = jax.tree.map(lambda value: jnp.zeros(value.shape, jnp.int64), shape[0])
        totals, fits = lax.scan(step, (zeros, jnp.ones(shape[1].shape, bool)), by_layer)[0]
        return jax.tree.map(lambda values: jnp.moveaxis(values, 2, 0), totals), fits.T

    return on_devices(run, 3, 4, devices)


def _storage(memories: tuple[Any, Any, Any], double_buffered: bool) -> Storage:
    """Scratchpads along the first of three axes, bandwidths along the second."""
    usable, cycles, of_bytes = memories
    return Storage(usable[:, None, None], cycles[:, None], of_bytes[:, None], double_buffered)
