"""A training step's counts as functions of real sizes, to be differentiated: the costs' own formulas, relaxed.

Three things keep the exact counts from having a useful slope, and each is smoothed:

- quotients rounded up: ``reals.smooth_ceil``, a differentiable ceiling, exact at integers;
- a plan that does not fit: its counts grow as a power of how many times too large it is;
- the choice of the best plan: a mean of the best few, weighted by a power of their times.

DOSA (Hong et al., MICRO 2023), whose idea this is, descends on plans as well. Here ``choose`` finds the best ones for
the sizes at hand, and ``counts`` is differentiated with these: sizes alone are descended on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import CYCLES, STALLS, Key
from jaxgrad.base.arithmetic import ceil_div, together
from jaxgrad.costs.cuts import COARSE, Splits, all_splits, block
from jaxgrad.costs.transfers import Shapes, Storage, exposed_cycles, needed_bytes, waiting_cycles
from jaxgrad.designs import candidates, unblocked
from jaxgrad.designs.plans import Part, Plan
from jaxgrad.designs.problems import Group
from jaxgrad.designs.questions import Arrays, Counts, Question
from jaxgrad.designs.reals import Real, raw
from jaxgrad.hardware import Precision

_BEST = 8  # blocks of a part that are averaged
_EAGERNESS = 64.0  # a plan that takes 1 % longer than the best weighs half as much
_PENALTY = 4.0  # a plan that needs twice the scratchpad takes 16 times as long
_WIDTH = 64  # as many blocks as a multiple of this are tried: one compiled size serves for many layers


class Sizes(NamedTuple):
    """What of a design is descended on; real numbers.

    Args:
        rows, cols: of the array.
        usable_bytes: of the scratchpad, see ``Storage``; None where it holds everything.
        bytes_per_cycle: of DRAM.
    """

    rows: Any
    cols: Any
    usable_bytes: Any = None
    bytes_per_cycle: Any = None


class Layers(NamedTuple):
    """Layers that want the same gradients, and what is tried for them.

    Args:
        shapes, times: float arrays; see ``Group``.
        splits, many: from ``_tried``; None without a memory.
    """

    shapes: Shapes
    times: Any
    splits: Any = None
    many: Any = None


class Choice(NamedTuple):
    """The best few runs of one part, for each layer.

    Args:
        nest: their nests' numbers.
        splits: of their blocks.
    """

    nest: Any
    splits: Splits


Choices = list[list[Choice]]
"""By plan and part."""


def layers(question: Question, group: Group, arrays: Arrays, usable_bytes: Sequence[float] | None) -> Layers:
    """The layers of a group, as ``choose`` and ``counts`` take them.

    Args:
        question: what is asked.
        group: of ``Question.groups``.
        arrays: some of those that may come up; blocks that fit with none of them are not tried.
        usable_bytes: of the scratchpads; None without a memory.
    """
    shapes = group.shapes.each(lambda values: np.asarray(values, float))
    times = np.asarray(question.times(group), float)
    plans = question.plans(group.dx, group.dw)
    if usable_bytes is None or not plans:
        return Layers(shapes, times)
    sizes = np.asarray(usable_bytes)
    return Layers(shapes, times, *_tried(plans, group.shapes, arrays, sizes, question.precision))


def choose(question: Question, layers: Layers, sizes: Sizes, *, dx: bool, dw: bool) -> Choices:
    """The best plans for these sizes; nothing to differentiate.

    Args:
        question: what is asked.
        layers: see ``Layers``.
        sizes: of the design.
        dx, dw: which gradients they want.
    """
    if sizes.usable_bytes is None:
        return []
    return [
        [
            lax.map(
                lambda layer, part=part: _best(part, question, sizes, *layer),
                (layers.shapes, layers.splits, layers.many),
            )
            for part in plan
        ]
        for plan in question.plans(dx, dw)
    ]


def counts(question: Question, layers: Layers, chosen: Choices, sizes: Sizes, *, dx: bool, dw: bool) -> Counts:
    """Counts of all layers together by phase, as ``engine`` and ``direct`` have them, in real numbers.

    Args:
        question, layers, sizes, dx, dw: as of ``choose``.
        chosen: what ``choose`` found, for these sizes or for some nearby.
    """
    if sizes.usable_bytes is None:
        array = Arrays(Real(sizes.rows), Real(sizes.cols), question.double_buffered)

        def direct_layer(shapes: Shapes) -> Counts:
            phase = "forward" if question.forward is not None else "dx+dw"
            counted = unblocked.counted(question, shapes.each(Real).sizes, array, dx, dw)
            return {phase: {key: jnp.asarray(raw(value), float) for key, value in counted.items()}}

        return _summed(direct_layer, layers.times, layers.shapes)
    plans = question.plans(dx, dw)
    if not plans:
        return {}

    def layer(shapes: Shapes, choices_of: Choices) -> Counts:
        tried = [
            [_part(part, question, shapes, sizes, choice) for part, choice in zip(plan, choices, strict=True)]
            for plan, choices in zip(plans, choices_of, strict=True)
        ]
        weights = _weights(jnp.stack([sum(time for _, time in plan) for plan in tried]))
        totals: Counts = {}
        for weight, plan, parts in zip(weights, plans, tried, strict=True):
            for part, (counted, _) in zip(plan, parts, strict=True):
                into = totals.setdefault(part.phase, {})
                for key, value in counted.items():
                    into[key] = into.get(key, 0.0) + weight * value
        return totals

    return _summed(layer, layers.times, layers.shapes, chosen)


def _summed(layer: Callable[..., Counts], times: Any, *layers: Any) -> Counts:
    """The sum over all layers, each as often as it is computed."""

    counted = jax.vmap(layer)(*jax.tree.map(jnp.asarray, layers))
    return jax.tree.map(lambda values: jnp.asarray(times) @ values, counted)


def _weights(times: Any) -> Any:
    return jax.nn.softmax(-_EAGERNESS * jnp.log(times))


def _hardware(question: Question, sizes: Sizes) -> tuple[Arrays, Storage]:
    return (
        Arrays(Real(sizes.rows), Real(sizes.cols), question.double_buffered),
        Storage(Real(sizes.usable_bytes), 1.0, Real(sizes.bytes_per_cycle), question.memory_double_buffered),
    )


def _penalty(needed_bytes: Real, sizes: Sizes) -> Any:
    return jnp.maximum(needed_bytes.value / sizes.usable_bytes, 1.0) ** _PENALTY


def _best(part: Part, question: Question, sizes: Sizes, shapes: Shapes, splits: Any, many: Any) -> Choice:
    """The nests and blocks of least time, for one layer: of each block the best nest, of these the best few."""
    (array, storage), precision = _hardware(question, sizes), question.precision
    shapes = shapes.each(Real)
    lengths = block(shapes.sizes, Splits(*splits.T), array)
    offer = candidates.candidate(part, shapes, lengths, array, precision)
    moved = offer.moved_bytes
    if part.alternates:
        moved = together(candidates.alternating_bytes(part, shapes, lengths, offer.needed_bytes, storage, precision))
    exposed = exposed_cycles(part.nests[0], shapes, lengths, storage, precision)
    cycles = raw(offer.compute + waiting_cycles(offer.compute, moved, exposed, storage))
    times = cycles * _penalty(offer.needed_bytes, sizes)
    nests = jnp.argmin(times, 0)
    least = jnp.where(jnp.arange(len(splits)) < many, jnp.min(times, 0), jnp.inf)
    _, best = lax.top_k(-least, _BEST)
    return Choice(nests[best], Splits(*splits[best].T))


def _part(part: Part, question: Question, shapes: Shapes, sizes: Sizes, choice: Choice) -> tuple[dict[Key, Any], Any]:
    """Counts and time of one product, or of two together: the mean of the runs chosen."""
    (array, storage), precision = _hardware(question, sizes), question.precision
    shapes = shapes.each(Real)
    lengths = block(shapes.sizes, choice.splits, array)
    penalty = _penalty(candidates.needed(part, choice.nest, shapes, lengths, precision), sizes)
    counted = candidates.counts(part, choice.nest, lengths, shapes, array, storage, precision)
    times = penalty * raw(counted[CYCLES] + counted[STALLS])
    weights = _weights(times)
    return {key: jnp.sum(weights * penalty * raw(value)) for key, value in counted.items()}, jnp.sum(weights * times)


def _tried(
    choices: Sequence[Plan], shapes: Shapes, arrays: Array, usable_bytes: np.ndarray, precision: Precision
) -> tuple[np.ndarray, np.ndarray]:
    """For each layer the coarse cuts to try, [layers, most, 3], and how many; those that fit nowhere left out."""
    rows, cols = np.asarray(arrays.rows), np.asarray(arrays.cols)
    parts = [part for plan in choices for part in plan]
    cuts: list[np.ndarray] = []
    for b, k, n, x_words in zip(*shapes.numbers, strict=True):
        one = Shapes(int(b), int(k), int(n), int(x_words))
        tiles = {"b": one.b, "k": ceil_div(one.k, int(cols.min())), "n": ceil_div(one.n, int(rows.min()))}
        splits = np.array(list(all_splits(tiles, COARSE)), np.int64)
        lengths = block(one.sizes, Splits(*splits.T[:, :, None]), arrays)
        needed = [sum(needed_bytes(part.nests[0], one, lengths, precision).values()) for part in parts]
        # A block that is too large without any tensor held is too large for all nests.
        fitting = splits[np.min(np.broadcast_arrays(*needed), (0, 2)) <= np.max(usable_bytes)]
        cuts.append(fitting if len(fitting) else splits[-1:])
    most = _WIDTH * -(-max(map(len, cuts)) // _WIDTH)
    return np.stack([np.resize(splits, (most, 3)) for splits in cuts]), np.array(list(map(len, cuts)))
