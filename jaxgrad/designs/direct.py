"""Many designs at once where the scratchpad holds everything: shapes alone decide."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgrad.array import forwards, layers
from jaxgrad.array.counts import CYCLES, Key
from jaxgrad.array.schedules import cost, find
from jaxgrad.base.arithmetic import exact, where
from jaxgrad.costs.transfers import Shapes
from jaxgrad.designs.devices import on_devices, padded
from jaxgrad.designs.problems import Problems
from jaxgrad.designs.questions import Arrays, Question


def without_memory(question: Question, problems: Problems, arrays: Arrays, name: str = "network") -> dict[Key, Any]:
    """Counts of all layers together where the scratchpad holds everything.

    Args:
        question: what is asked.
        problems: the layers.
        arrays: G of them.
        name: of the network, for messages.

    Returns:
        By key, arrays of shape [G] that cannot overflow (``arithmetic.exact``).

    Raises:
        ValueError: 64 bits might not do.
    """
    from jaxgrad.designs import bounds  # which evaluates ``counted``

    totals: dict[Key, Any] = {}
    devices = jax.device_count()
    rows, cols = (padded(values, devices) for values in (arrays.rows, arrays.cols))
    for group in question.groups(problems):
        bounds.check(question, group, arrays.rows, arrays.cols, (), name)
        with jax.enable_x64(True):
            found = _direct(question, group.dx, group.dw, devices)(rows, cols, group.shapes, question.times(group))
        for key, values in found.items():
            totals[key] = totals.get(key, 0) + exact(np.asarray(values)[: len(arrays.rows)])
    return totals


@functools.lru_cache(maxsize=256)
def _direct(question: Question, dx: bool, dw: bool, devices: int) -> Callable[..., dict[Key, Any]]:
    def run(rows: Any, cols: Any, shapes: Shapes, times: Any) -> dict[Key, Any]:
        array = Arrays(rows, cols, question.double_buffered)

        def step(totals: dict[Key, Any], layer: tuple[Shapes, Any]) -> tuple[dict[Key, Any], None]:
            own, often = layer
            found = counted(question, own.sizes, array, dx, dw)
            return {key: totals[key] + often * found.get(key, 0) for key in totals}, None

        keys = jax.eval_shape(lambda: counted(question, _sizes(shapes), array, dx, dw))
        zeros = {key: jnp.zeros(rows.shape, jnp.int64) for key in keys}
        return lax.scan(step, zeros, (shapes, times))[0]

    return on_devices(run, 4, devices)


def _sizes(shapes: Shapes) -> Mapping[str, Any]:
    return {axis: values[0] for axis, values in shapes.sizes.items()}


class _Sized(NamedTuple):
    sizes: Mapping[str, Any]


def counted(question: Question, sizes: Mapping[str, Any], array: Any, dx: bool, dw: bool) -> dict[Key, Any]:
    """A layer's counts; of several mappings or schedules the one of fewest cycles, then of fewest accesses."""
    if question.forward is not None:
        return layers.counts([forwards.find(question.forward).mapping], sizes, array)
    plans_of = []
    for member in find(question.schedule).members:
        chosen = [_best([[mapping] for mapping in choice], sizes, array)
                  for choice in member.alternatives(dx=dx, dw=dw)]  # fmt: skip
        total: dict[Key, Any] = {}
        accesses = 0
        for found, own in chosen:
            accesses = accesses + own
            for key, value in found.items():
                total[key] = total.get(key, 0) + value
        plans_of.append((total, accesses))
    return _least(plans_of)[0] if dx or dw else {}


def _best(options: Sequence[Sequence[Any]], sizes: Mapping[str, Any], array: Any) -> tuple[dict[Key, Any], Any]:
    return _least([(layers.counts(own, sizes, array), cost(own, _Sized(sizes), array).accesses) for own in options])


def _least(options: Sequence[tuple[dict[Key, Any], Any]]) -> tuple[dict[Key, Any], Any]:
    (best, accesses), *others = options
    for other, own in others:
        better = (other[CYCLES] < best[CYCLES]) | ((other[CYCLES] == best[CYCLES]) & (own < accesses))
        best = {key: where(better, other.get(key, 0), best.get(key, 0)) for key in {**best, **other}}
        accesses = where(better, own, accesses)
    return best, accesses
