"""Meshes for tests over several devices: the suite has four on a CPU, and what there is elsewhere."""

from __future__ import annotations

import jax
import pytest
from jax.sharding import AxisType, Mesh


def mesh(count: int, axis: str) -> Mesh:
    """The first ``count`` devices along ``axis``; the test is skipped where there are fewer."""
    if jax.device_count() < count:
        pytest.skip(f"{count} devices are needed, and there is {jax.device_count()}")
    return jax.make_mesh((count,), (axis,), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])
