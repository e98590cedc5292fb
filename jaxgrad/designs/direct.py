"""Many designs at once where the scratchpad holds everything: shapes alone decide."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgrad.array.counts import Key
from jaxgrad.base.arithmetic import exact
from jaxgrad.costs.transfers import Shapes
from jaxgrad.designs import bounds
from jaxgrad.designs.devices import on_devices, padded
from jaxgrad.designs.problems import Problems
from jaxgrad.designs.questions import Arrays, Question
from jaxgrad.designs.unblocked import counted


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
    totals: dict[Key, Any] = {}
    devices = jax.device_count()
    rows, cols = (padded(values, devices) for values in (arrays.rows, arrays.cols))
    for group in question.groups(problems):
        number = bounds.check(question, group, arrays.rows, arrays.cols, (), name)
        shapes, times = group.shapes.each(lambda values, number=number: values.astype(number)), question.times(group)
        with jax.enable_x64(True):
            counts = _direct(question, group.dx, group.dw, devices)(
                rows.astype(number), cols.astype(number), shapes, times
            )
        for key, values in counts.items():
            totals[key] = totals.get(key, 0) + exact(np.asarray(values)[: len(arrays.rows)])
    return totals


@functools.lru_cache(maxsize=256)
def _direct(question: Question, dx: bool, dw: bool, devices: int) -> Callable[..., dict[Key, Any]]:
    def run(rows: Any, cols: Any, shapes: Shapes, times: Any) -> dict[Key, Any]:
        array = Arrays(rows, cols, question.double_buffered)

        def step(totals: dict[Key, Any], layer: tuple[Shapes, Any]) -> tuple[dict[Key, Any], None]:
            one, often = layer
            counts = counted(question, one.sizes, array, dx, dw)
            return {
                key: totals[key] + often * jnp.asarray(counts.get(key, 0)).astype(jnp.int64) for key in totals
            }, None

        keys = jax.eval_shape(lambda: counted(question, _sizes(shapes), array, dx, dw))
        zeros = {key: jnp.zeros(rows.shape, jnp.int64) for key in keys}
        return lax.scan(step, zeros, (shapes, times))[0]

    return on_devices(run, 2, 2, devices)


def _sizes(shapes: Shapes) -> Mapping[str, Any]:
    return {axis: values[0] for axis, values in shapes.sizes.items()}
