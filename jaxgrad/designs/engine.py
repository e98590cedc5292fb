"""Many designs at once, in exact integers: the costs' own formulas under jit, on all devices there are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from jaxgrad import schedules
from jaxgrad.costs import layers
from jaxgrad.costs.integers import where
from jaxgrad.costs.transfers import Shapes, Storage, needed_bytes
from jaxgrad.designs import plans
from jaxgrad.designs.bounds import NEST_BITS, NONE
from jaxgrad.designs.plans import Found, Part, Plan, Splits
from jaxgrad.designs.problems import Group, Problems
from jaxgrad.hardware import Precision

Counts = dict[str, dict[str, Any]]
"""Counts by phase and name."""
_AXIS = "designs"


class Arrays(NamedTuple):
    """Arrays of PEs, as ``Accelerator`` has one: ``rows`` and ``cols`` are as long as there are designs."""

    rows: Any
    cols: Any
    double_buffered: bool


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


class Question(NamedTuple):
    """What decides the code that is compiled.

    Args:
        forward: a dataflow, or None for the gradients.
        schedule, order: of the gradients.
        double_buffered: whether PEs have shadow registers.
        memory_double_buffered: whether transfers overlap with work.
        precision: number formats.
    """

    forward: str | None
    schedule: str
    order: str
    double_buffered: bool
    memory_double_buffered: bool
    precision: Precision

    def plans(self, dx: bool, dw: bool) -> list[Plan]:
        if self.forward is not None:
            return plans.forward(self.forward)
        return plans.backward(self.schedule, self.order, dx=dx, dw=dw)


def with_memory(question: Question, problems: Problems, arrays: Arrays, memories: Memories) -> tuple[Counts, Any]:
    """Counts of all layers together, and whether all of them fit.

    Args:
        question: what is asked.
        problems: the layers.
        arrays: G of them.
        memories: S scratchpads and W bandwidths.

    Returns:
        By phase and name, int64 arrays of shape [G, S, W], and a bool one [G, S]. Where a layer does not fit, the
        counts mean nothing.
    """
    totals: Counts = {}
    fits = np.ones((len(arrays.rows), len(memories.usable_bytes)), bool)
    devices = jax.device_count()
    rows, cols = (_padded(values, devices) for values in (arrays.rows, arrays.cols))
    for group in _groups(question, problems):
        choices = question.plans(group.dx, group.dw)
        if not choices:
            continue
        times = group.forward_times if question.forward is not None else group.times
        splits, many = _splits(choices, group.shapes, rows, cols, question, memories)
        with jax.enable_x64(True):
            found, fit = _compiled(question, group.dx, group.dw, devices)(
                rows, cols, group.shapes, times, splits, many, memories[:3]
            )
        fits &= np.asarray(fit)[: len(arrays.rows)]
        for phase, counted in found.items():
            own = totals.setdefault(phase, {})
            for name, values in counted.items():
                own[name] = own.get(name, 0) + np.asarray(values)[: len(arrays.rows)]
    return totals, fits


def without_memory(question: Question, problems: Problems, arrays: Arrays) -> dict[str, Any]:
    """Counts of all layers together where the scratchpad holds everything: by name, int64 arrays of shape [G]."""
    totals: dict[str, Any] = {}
    devices = jax.device_count()
    rows, cols = (_padded(values, devices) for values in (arrays.rows, arrays.cols))
    for group in _groups(question, problems):
        times = group.forward_times if question.forward is not None else group.times
        with jax.enable_x64(True):
            found = _direct(question, group.dx, group.dw, devices)(rows, cols, group.shapes, times)
        for name, values in found.items():
            totals[name] = totals.get(name, 0) + np.asarray(values)[: len(arrays.rows)]
    return totals


def _groups(question: Question, problems: Problems) -> Iterable[Group]:
    return problems.groups() if question.forward is None else [problems.whole]


def _total(needed: Mapping[str, Any]) -> Any:
    return sum(needed.values())


def _padded(values: Any, multiple: int) -> np.ndarray:
    """As many as devices can share evenly; the last one is there again."""
    own = np.asarray(values, np.int64)
    return np.concatenate([own, np.repeat(own[-1:], -len(own) % multiple)])


def _splits(
    choices: Sequence[Plan], shapes: Shapes, rows: np.ndarray, cols: np.ndarray, question: Question, memories: Memories
) -> tuple[np.ndarray, np.ndarray]:
    """For each layer the splits to try, [layers, most, 3], and how many of them; those that fit nowhere left out."""
    smallest = Arrays(int(rows.min()), int(cols.min()), question.double_buffered)
    largest = int(np.max(memories.usable_bytes))
    parts = [part for plan in choices for part in plan]
    lists: list[np.ndarray] = []
    for b, k, n, x_words in zip(*shapes, strict=True):
        one = Shapes(int(b), int(k), int(n), int(x_words))
        tiles = {"b": one.b, "k": -(-one.k // smallest.cols), "n": -(-one.n // smallest.rows)}
        every = np.array(list(plans.all_splits(tiles)), np.int64)
        block = plans.block(one.sizes, Splits(*every.T[:, :, None]), Arrays(rows, cols, False))
        least = np.min(
            [_total(needed_bytes(part.nests[0], one, block, question.precision)).min(1) for part in parts], 0
        )
        # A block that is too large without any tensor held is too large for all nests.
        lists.append(every[least <= largest])
    most = 64 * -(-max(1, *map(len, lists)) // 64)
    return np.stack([np.resize(own if len(own) else every[-1:], (most, 3)) for own in lists]), np.array(
        [max(1, len(own)) for own in lists]
    )


def _on_devices(function: Callable[..., Any], arguments: int, devices: int) -> Callable[..., Any]:
    """The first two arguments and all results are cut along the designs, the rest is everywhere."""
    if devices == 1:
        return jax.jit(function)
    mesh = jax.make_mesh((devices,), (_AXIS,), axis_types=(AxisType.Auto,))
    cut, whole = PartitionSpec(_AXIS), PartitionSpec()
    specs = (cut, cut, *(whole for _ in range(arguments - 2)))
    # Loops start from constants, the same everywhere, which the check of replication does not like.
    return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=cut, check_vma=False))


@functools.lru_cache(maxsize=256)
def _direct(question: Question, dx: bool, dw: bool, devices: int) -> Callable[..., dict[str, Any]]:
    def run(rows: Any, cols: Any, shapes: Shapes, times: Any) -> dict[str, Any]:
        array = Arrays(rows, cols, question.double_buffered)

        def step(totals: dict[str, Any], layer: tuple[Shapes, Any]) -> tuple[dict[str, Any], None]:
            own, often = layer
            counted = _counted(question, own.sizes, array, dx, dw)
            return {name: totals[name] + often * counted.get(name, 0) for name in totals}, None

        names = jax.eval_shape(lambda: _counted(question, _sizes(shapes), array, dx, dw))
        zeros = {name: jnp.zeros(rows.shape, jnp.int64) for name in names}
        return lax.scan(step, zeros, (shapes, times))[0]

    return _on_devices(run, 4, devices)


def _sizes(shapes: Shapes) -> Mapping[str, Any]:
    return {axis: values[0] for axis, values in shapes.sizes.items()}


class _Sized(NamedTuple):
    sizes: Mapping[str, Any]


def _counted(question: Question, sizes: Mapping[str, Any], array: Any, dx: bool, dw: bool) -> dict[str, Any]:
    """A layer's counts; of several mappings or schedules the one of fewest cycles, then of fewest accesses."""
    if question.forward is not None:
        return layers.counts([schedules.FORWARD[question.forward]], sizes, array)
    names = schedules.AUTO if question.schedule == "auto" else (question.schedule,)
    plans_of = []
    for name in names:
        chosen = [_best([[mapping] for mapping in choice], sizes, array)
                  for choice in schedules.alternatives(name, dx=dx, dw=dw)]  # fmt: skip
        total: dict[str, Any] = {}
        accesses = 0
        for counted, own in chosen:
            accesses = accesses + own
            for key, value in counted.items():
                total[key] = total.get(key, 0) + value
        plans_of.append((total, accesses))
    return _least(plans_of)[0] if dx or dw else {}


def _best(options: Sequence[Sequence[Any]], sizes: Mapping[str, Any], array: Any) -> tuple[dict[str, Any], Any]:
    return _least(
        [(layers.counts(own, sizes, array), schedules.cost(own, _Sized(sizes), array).accesses) for own in options]
    )


def _least(options: Sequence[tuple[dict[str, Any], Any]]) -> tuple[dict[str, Any], Any]:
    (best, accesses), *others = options
    for other, own in others:
        better = (other["cycles"] < best["cycles"]) | ((other["cycles"] == best["cycles"]) & (own < accesses))
        best = {name: where(better, other.get(name, 0), best.get(name, 0)) for name in {**best, **other}}
        accesses = where(better, own, accesses)
    return best, accesses


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
                    for name, value in counted.items():
                        into[name] = into.get(name, 0) + jnp.where(chosen == index, value, 0)
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

    return _on_devices(run, 7, devices)


def _search(
    part: Part, shapes: Shapes, array: Arrays, storage: Storage, precision: Precision, splits: Any, count: Any
) -> Found:
    """The best block and nest by array, scratchpad and bandwidth: [G, S, W]. ``time`` is ``NONE`` where none fits."""
    usable_bytes: Any = storage.usable_bytes  # of the whole scratchpad: sweeps have no divided ones
    groups, sizes, rates = array.rows.shape[0], usable_bytes.shape[0], storage.cycles.shape[0]
    outer = Arrays(array.rows[:, None], array.cols[:, None], array.double_buffered)
    usable = usable_bytes[:, 0]

    def attempt(index: Any, best: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        block = plans.block(shapes.sizes, Splits(*splits[index]), array)
        offer = plans.candidate(part, shapes, block, array, precision)
        # Of one block's nests the one that moves least: all else is the same.
        packed = (offer.moved_bytes << NEST_BITS) | jnp.arange(len(part.nests))[:, None]
        fitting = offer.needed_bytes[:, :, None] <= usable
        least = jnp.broadcast_to(jnp.min(jnp.where(fitting, packed[:, :, None], NONE), 0), (groups, sizes))
        edges = plans.block(shapes.sizes, Splits(*splits[index]), outer)
        exposed = plans.exposed_cycles(part, shapes, edges, storage, precision)
        exposed = jnp.broadcast_to(exposed, (groups, rates))[:, None, :]
        time = plans.time(offer.compute[:, None, None], exposed, (least >> NEST_BITS)[:, :, None], storage)
        fits = (least < NONE)[:, :, None]
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
