"""A training step's counts as functions of real sizes, to be differentiated: the costs' own formulas, relaxed.

Three things keep the exact counts from having a useful slope, and each is smoothed:

- quotients rounded up: ``arithmetic.smooth_ceil``, exact at integers;
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

from jaxgrad.array.counts import CYCLES, STALLS, Key
from jaxgrad.base.arithmetic import maximum
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.designs import plans, unblocked
from jaxgrad.designs.plans import Found, Part
from jaxgrad.designs.problems import Group
from jaxgrad.designs.questions import Arrays, Counts, Question
from jaxgrad.designs.splits import Splits, block

_BEST = 8  # blocks of a part that are averaged
_EAGERNESS = 64.0  # a plan that takes 1 % longer than the best weighs half as much
_PENALTY = 4.0  # a plan that needs twice the scratchpad takes 16 times as long


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
        splits, many: from ``plans.tried``; None without a memory.
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
    found = question.plans(group.dx, group.dw)
    if usable_bytes is None or not found:
        return Layers(shapes, times)
    sizes = np.asarray(usable_bytes)
    return Layers(shapes, times, *plans.tried(found, group.shapes, arrays, sizes, question.precision))


def choose(question: Question, own: Layers, sizes: Sizes, *, dx: bool, dw: bool) -> Choices:
    """The best plans for these sizes; nothing to differentiate.

    Args:
        question: what is asked.
        own: the layers.
        sizes: of the design.
        dx, dw: which gradients they want.
    """
    if sizes.usable_bytes is None:
        return []
    return [
        [
            lax.map(lambda layer, part=part: _best(part, question, sizes, *layer), (own.shapes, own.splits, own.many))
            for part in plan
        ]
        for plan in question.plans(dx, dw)
    ]


def counts(question: Question, own: Layers, chosen: Choices, sizes: Sizes, *, dx: bool, dw: bool) -> Counts:
    """Counts of all layers together by phase, as ``engine`` and ``direct`` have them, in real numbers.

    Args:
        question, own, sizes, dx, dw: as of ``choose``.
        chosen: what ``choose`` found, for these sizes or for some nearby.
    """
    if sizes.usable_bytes is None:
        array = Arrays(sizes.rows, sizes.cols, question.double_buffered)

        def direct_layer(shapes: Shapes) -> Counts:
            phase = "forward" if question.forward is not None else "dx+dw"
            return {phase: unblocked.counted(question, shapes.sizes, array, dx, dw)}

        return _summed(direct_layer, own.times, own.shapes)
    found = question.plans(dx, dw)
    if not found:
        return {}

    def layer(shapes: Shapes, own_choices: Choices) -> Counts:
        tried = [
            [_part(part, question, shapes, sizes, choice) for part, choice in zip(plan, choices, strict=True)]
            for plan, choices in zip(found, own_choices, strict=True)
        ]
        weights = _weights(jnp.stack([sum(time for _, time in plan) for plan in tried]))
        totals: Counts = {}
        for weight, plan, parts in zip(weights, found, tried, strict=True):
            for part, (counted, _) in zip(plan, parts, strict=True):
                into = totals.setdefault(part.phase, {})
                for key, value in counted.items():
                    into[key] = into.get(key, 0.0) + weight * value
        return totals

    return _summed(layer, own.times, own.shapes, chosen)


def _summed(layer: Callable[..., Counts], times: Any, *layers: Any) -> Counts:
    """The sum over all layers, each as often as it is computed."""

    found = jax.vmap(layer)(*jax.tree.map(jnp.asarray, layers))
    return jax.tree.map(lambda values: jnp.asarray(times) @ values, found)


def _weights(times: Any) -> Any:
    return jax.nn.softmax(-_EAGERNESS * jnp.log(times))


def _hardware(question: Question, sizes: Sizes) -> tuple[Arrays, Storage]:
    return (
        Arrays(sizes.rows, sizes.cols, question.double_buffered),
        Storage(sizes.usable_bytes, 1.0, sizes.bytes_per_cycle, question.memory_double_buffered),
    )


def _penalty(needed_bytes: Any, sizes: Sizes) -> Any:
    return maximum(needed_bytes / sizes.usable_bytes, 1.0) ** _PENALTY


def _best(part: Part, question: Question, sizes: Sizes, shapes: Shapes, splits: Any, many: Any) -> Choice:
    """The nests and blocks of least time, for one layer: of each block the best nest, of these the best few."""
    array, storage = _hardware(question, sizes)
    own = block(shapes.sizes, Splits(*splits.T), array)
    offer = plans.candidate(part, shapes, own, array, question.precision)
    exposed = plans.exposed_cycles(part, shapes, own, storage, question.precision)
    times = plans.time(offer.compute, exposed, offer.moved_bytes, storage) * _penalty(offer.needed_bytes, sizes)
    nests = jnp.argmin(times, 0)
    least = jnp.where(jnp.arange(len(splits)) < many, jnp.min(times, 0), jnp.inf)
    _, best = lax.top_k(-least, _BEST)
    return Choice(nests[best], Splits(*splits[best].T))


def _part(part: Part, question: Question, shapes: Shapes, sizes: Sizes, choice: Choice) -> tuple[dict[Key, Any], Any]:
    """Counts and time of one product, or of two together: the mean of the runs chosen."""
    array, storage = _hardware(question, sizes)
    own = block(shapes.sizes, choice.splits, array)
    penalty = _penalty(plans.needed(part, choice.nest, shapes, own, question.precision), sizes)
    found = Found(0, 0, choice.nest, choice.splits)
    counted = plans.counts(part, found, shapes, array, storage, question.precision)
    times = penalty * (counted[CYCLES] + counted[STALLS])
    weights = _weights(times)
    return {key: jnp.sum(weights * penalty * value) for key, value in counted.items()}, jnp.sum(weights * times)
