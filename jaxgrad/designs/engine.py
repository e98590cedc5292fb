"""Many designs at once, in whole numbers: the full search of ``costs.search`` under jit, on all devices there are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgrad.base.arithmetic import exact, is_float
from jaxgrad.costs.cuts import FULL, Cuts
from jaxgrad.costs.search import Alternatives
from jaxgrad.costs.transfers import Shapes, Storage, exposed_cycles, waiting_cycles
from jaxgrad.designs import bounds, candidates, grid
from jaxgrad.designs.bounds import NEST_BITS, NONE, ORDER_BITS
from jaxgrad.designs.devices import on_devices, padded
from jaxgrad.designs.grid import Grid
from jaxgrad.designs.plans import Part
from jaxgrad.designs.problems import Problems
from jaxgrad.designs.questions import Arrays, Counts, Question
from jaxgrad.hardware import Precision

_BLOCKS = 32  # of a layer, looked at together
_ARRAYS = 32  # those that have about as many blocks, looked at together


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


class Outcome(NamedTuple):
    """The best runs of one part, by scratchpad, bandwidth and array: [S, W, G].

    Args:
        cycles: stalls included; ``NONE`` where none fits.
        moved: bytes of DRAM, times 8, plus the place of the order: the lesser of two is the better run.
        nest: the number of its nest.
        block: the number of its block in the ``Grid``.
    """

    cycles: Any
    moved: Any
    nest: Any
    block: Any


def with_memory(
    question: Question,
    problems: Problems,
    arrays: Arrays,
    memories: Memories,
    name: str = "network",
    cuts: Cuts = FULL,
) -> tuple[Counts, Any]:
    """Counts of all layers together, and whether all of them fit.

    Args:
        question: what is asked.
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
    totals: Counts = {}
    fits = np.ones((len(arrays.rows), len(memories.usable_bytes)), bool)
    devices = jax.device_count()
    for group in question.groups(problems):
        if not question.plans(group.dx, group.dw):
            continue
        rates = list(zip(memories.cycles.tolist(), memories.of_bytes.tolist(), strict=True))
        number = bounds.check(question, group, arrays.rows, arrays.cols, rates, name)
        counts = grid.counts(group.shapes, cuts).astype(number)
        shapes = group.shapes.each(lambda values, number=number: values.astype(number))
        times = question.times(group)
        usable = np.minimum(memories.usable_bytes, bounds.MOST_USABLE_BYTES)
        traced = tuple(values.astype(number) for values in (usable, memories.cycles, memories.of_bytes))
        order = np.argsort(grid.blocks(group.shapes, arrays, cuts), kind="stable")
        for start in range(0, len(order), _ARRAYS * devices):
            chosen = order[start : start + _ARRAYS * devices]
            together = _ARRAYS * devices if len(order) > _ARRAYS * devices else devices
            rows, cols = (padded(values[chosen], together).astype(number) for values in (arrays.rows, arrays.cols))
            with jax.enable_x64(True):
                counted, fit = _compiled(question, group.dx, group.dw, devices)(
                    rows, cols, shapes, times, counts, traced
                )
            fits[chosen] &= np.asarray(fit)[: len(chosen)]
            for phase, by_key in counted.items():
                into = totals.setdefault(phase, {})
                for key, values in by_key.items():
                    total = into.setdefault(key, np.zeros((*fits.shape, len(rates)), object))
                    total[chosen] += np.asarray(values)[: len(chosen)]
    return {phase: {key: exact(values) for key, values in into.items()} for phase, into in totals.items()}, fits


@functools.lru_cache(maxsize=256)
def _compiled(question: Question, dx: bool, dw: bool, devices: int) -> Callable[..., tuple[Counts, Any]]:
    choices = question.plans(dx, dw)

    def run(
        rows: Any, cols: Any, shapes: Shapes, times: Any, counts: Any, memories: tuple[Any, Any, Any]
    ) -> tuple[Counts, Any]:
        usable, cycles, of_bytes = memories
        array = Arrays(rows, cols, question.double_buffered)
        storage = Storage(usable[:, None, None], cycles[:, None], of_bytes[:, None], question.memory_double_buffered)
        none = jnp.asarray(NONE, rows.dtype)

        def layer(shapes: Shapes) -> tuple[Counts, Any]:
            blocks = Grid.of(shapes, array, counts)
            outcomes = [
                [_search(part, shapes, array, storage, question.precision, blocks) for part in plan] for plan in choices
            ]
            keys: list[Any] = [
                (sum(part.cycles for part in plan), sum(_without_order(part.moved) for part in plan))
                for plan in outcomes
            ]
            fits = [functools.reduce(jnp.logical_and, [part.cycles < none for part in plan]) for plan in outcomes]
            chosen, best = jnp.full(keys[0][0].shape, -1), keys[0]
            for index, (key, fit) in enumerate(zip(keys, fits, strict=True)):
                less = (key[0] < best[0]) | ((key[0] == best[0]) & (key[1] < best[1]))
                better = fit & ((chosen < 0) | less)
                chosen = jnp.where(better, index, chosen)
                best = tuple(jnp.where(better, new, old) for new, old in zip(key, best, strict=True))
            totals: Counts = {}
            for index, (plan, parts) in enumerate(zip(choices, outcomes, strict=True)):
                for part, outcome in zip(plan, parts, strict=True):
                    block = blocks.block(outcome.block)
                    counted = candidates.counts(part, outcome.nest, block, shapes, array, storage, question.precision)
                    into = totals.setdefault(part.phase, {})
                    for key, value in counted.items():
                        into[key] = into.get(key, 0) + jnp.where(chosen == index, value, 0)
            return totals, jnp.all(chosen >= 0, axis=1)

        def step(carry: tuple[Counts, Any], one: tuple[Shapes, Any]) -> tuple[tuple[Counts, Any], None]:
            totals, fits = carry
            counted, fit = layer(one[0])
            return (
                jax.tree.map(lambda total, value: total + one[1] * value.astype(jnp.int64), totals, counted),
                fits & fit,
            ), None

        shape = jax.eval_shape(layer, jax.tree.map(lambda values: values[0], shapes))
        zeros = jax.tree.map(lambda value: jnp.zeros(value.shape, jnp.int64), shape[0])
        totals, fits = lax.scan(step, (zeros, jnp.ones(shape[1].shape, bool)), (shapes, times))[0]
        return jax.tree.map(lambda values: jnp.moveaxis(values, 2, 0), totals), fits.T

    return on_devices(run, 6, devices)


def _quotient(number: Any, divisor: int) -> Any:
    """Rounded down, by a power of two."""
    return jnp.floor(number / divisor) if is_float(number) else number // divisor


def _without_order(moved: Any) -> Any:
    return _quotient(moved, 1 << ORDER_BITS)


def _search(part: Part, shapes: Shapes, array: Arrays, storage: Storage, precision: Precision, blocks: Grid) -> Outcome:
    """The best block and nest; of equally good ones that of the first order, then the first block, then nest."""
    usable: Any = storage.usable_bytes  # of the whole scratchpad: sweeps have no divided ones
    number, designs = array.rows.dtype, array.rows.shape[0]
    none = jnp.asarray(NONE, number)
    exposed_by = Storage(0, storage.cycles[..., None], storage.of_bytes[..., None], storage.double_buffered)
    orders = jnp.asarray(part.orders, number)

    def offered(block: dict[str, Any]) -> tuple[Any, Any]:
        """Bytes that each nest needs and that it moves, [N, 1 or S, B, G]."""
        offer = candidates.candidate(part, shapes, block, array, precision)
        needed = offer.needed_bytes[:, None]
        if part.alternates:
            return needed, candidates.alternating_bytes(part, shapes, block, needed, storage, precision)
        return needed, offer.moved_bytes[:, None]

    def best_nests(block: dict[str, Any]) -> Any:
        """Of the nests that fit the one that moves least, packed: [S, B, G]."""
        needed, moved = offered(block)
        nests = jnp.arange(len(part.nests), dtype=number).reshape(-1, 1, 1, 1)
        ranked = bounds.packed(moved, orders.reshape(nests.shape), nests)
        # Of those that need the same, the one that moves least will do for all scratchpads.
        alike = candidates.alike(part)
        ranked = jnp.stack([functools.reduce(jnp.minimum, [ranked[nest] for nest in nests]) for nests in alike])
        needed = needed[np.array([nests[0] for nests in alike])]

        def attempt(index: Any, packed: Any) -> Any:
            return jnp.minimum(packed, jnp.where(needed[index] <= usable, ranked[index], none))

        return lax.fori_loop(0, len(alike), attempt, jnp.full((usable.shape[0], *needed.shape[2:]), none))

    def batch(index: Any, best: Outcome) -> Outcome:
        numbers = index * _BLOCKS + jnp.arange(_BLOCKS, dtype=jnp.int32)[:, None]
        block = blocks.block(jnp.broadcast_to(numbers, (_BLOCKS, designs)))
        compute = Alternatives(part.choices).cycles(shapes.sizes, block, array)
        exposed = exposed_cycles(part.nests[0], shapes, block, exposed_by, precision)
        exposed = jnp.broadcast_to(exposed, (storage.cycles.shape[0], *compute.shape))
        exists = numbers < blocks.size

        # However little they move: most small blocks keep the array longer than the best ones take in all.
        slower = compute + exposed > jnp.max(best.cycles, 0)[:, None]
        hopeful = ~jnp.all(slower, (0, 2)) & jnp.any(exists, 1)
        order, many = jnp.argsort(~hopeful, stable=True), jnp.sum(hopeful)

        packed = lax.cond(many > 0, best_nests, lambda _: jnp.full((usable.shape[0], *compute.shape), none), block)
        packed = jnp.where(exists, packed, none)
        ranks = _quotient(packed, 1 << NEST_BITS)
        nests = packed - ranks * (1 << NEST_BITS)
        moved = _without_order(ranks)

        def attempt(turn: Any, best: Outcome) -> Outcome:
            place = order[turn]
            rank = ranks[:, None, place]
            fits = packed[:, None, place] < none
            # Of what does not fit, nothing overflows either.
            moved_bytes = jnp.where(fits, moved[:, None, place], 0)
            cycles = compute[place] + waiting_cycles(compute[place], moved_bytes, exposed[:, place], storage)
            better = fits & ((cycles < best.cycles) | ((cycles == best.cycles) & (rank < best.moved)))
            new = Outcome(cycles, rank, nests[:, None, place], numbers[place, 0])
            return Outcome(*(jnp.where(better, one, other) for one, other in zip(new, best, strict=True)))

        return lax.fori_loop(0, many, attempt, best)

    shape = (usable.shape[0], storage.cycles.shape[0], designs)
    # Where single tiles do not fit, nothing does, and nothing is looked for.
    needed, _ = offered(blocks.block((blocks.size - 1)[None]))
    possible = jnp.broadcast_to((jnp.min(needed, 0) <= usable), (shape[0], 1, designs))
    cycles = jnp.broadcast_to(jnp.where(possible, none, -1), shape)
    start = Outcome(cycles, jnp.full(shape, none), jnp.zeros(shape, number), jnp.zeros(shape, jnp.int32))
    batches = -(-jnp.max(blocks.size) // _BLOCKS)
    best = lax.fori_loop(0, batches, batch, start)
    return best._replace(cycles=jnp.where(possible, best.cycles, none), nest=best.nest.astype(jnp.int32))
