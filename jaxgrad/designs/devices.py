"""Designs spread over all devices there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, PartitionSpec

_AXIS = "designs"


def padded(values: Any, multiple: int) -> np.ndarray:
    """As many as devices can share evenly; the last one is there again."""
    numbers = np.asarray(values, np.int64)
    return np.concatenate([numbers, np.repeat(numbers[-1:], -len(numbers) % multiple)])


def on_devices(function: Callable[..., Any], by_design: int, others: int, devices: int) -> Callable[..., Any]:
    """The function, jitted: the first ``by_design`` arguments and all results are cut along the designs, their first
    axis, and ``others`` are everywhere."""
    if devices == 1:
        return jax.jit(function)
    mesh = jax.make_mesh((devices,), (_AXIS,), axis_types=(AxisType.Auto,))
    cut, whole = PartitionSpec(_AXIS), PartitionSpec()
    specs = (*(cut for _ in range(by_design)), *(whole for _ in range(others)))
    # Loops start from constants, the same everywhere, which the check of replication does not like.
    return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=cut, check_vma=False))
