"""A search against the whole of a space that is small enough to look at."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import area
from jaxgrad.designs import schema, search, sweep
from jaxgrad.designs.goal import Goal, within_limits
from jaxgrad.designs.search import Found, Sought
from jaxgrad.designs.space import Kind, chunks, kinds, machine, workloads
from jaxgrad.hardware import load_technology
from jaxgrad.programs import LayerGemm

LAYERS = [
    LayerGemm("conv", Gemm(40, 72, 12), 2, needs_dx=True),
    LayerGemm("middle", Gemm(64, 108, 24), 1, needs_dx=True),
    LayerGemm("head", Gemm(8, 30, 10), 1, needs_dx=True),
]
TECHNOLOGY = load_technology("horowitz-45nm")
PRICED = {
    "space": {
        "rows": {"first": 2, "last": 32, "step": 2}, "cols": {"first": 2, "last": 32, "step": 2},
        "sram_kib": [1, 2, 4, 8, 16], "dram_gb_per_s": [2.0], "double_buffered": [True],
    },
    "machine": {"technology": "horowitz-45nm"},
}  # fmt: skip
BARE = {"space": {"rows": {"first": 1, "last": 40, "step": 1}, "cols": {"first": 1, "last": 40, "step": 1}}}


def checked(base: dict[str, Any], **descent: Any) -> schema.Sweep:
    return schema.check({"workload": {"layers": [[1, 1]]}, **base, "descent": descent}, "F")


def searched(own: schema.Sweep) -> Found:
    (kind,), ((workload, batch),) = kinds(own), workloads(own)
    return search.search(Sought(kind, workload, batch, own, LAYERS, TECHNOLOGY if own.has_memory else None))


def everything(own: schema.Sweep) -> sweep.Table:
    known = TECHNOLOGY if own.has_memory else None
    tables = [sweep.compute(chunk, own, LAYERS, known) for chunk in chunks(own)]
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def assert_exact(found: Found, table: sweep.Table, own: schema.Sweep) -> None:
    """What was costed is in the space, within the limits, and costs what the sweep says."""
    row = {tuple(table[axis][i] for axis in own.axes): i for i in range(len(table["rows"]))}
    for design, cost in found.costs.items():
        assert cost == {name: table[name][row[design]] for name in cost}


@pytest.mark.parametrize(("schedule", "most"), [("interleaved", 200), ("ws_only", 100), ("os_only", 37)])
def test_the_best_array_of_so_many_pes(schedule: str, most: int) -> None:
    own = checked({"space": BARE["space"] | {"schedule": [schedule]}}, max_pes=most, starts=12, steps=40)
    found, table = searched(own), everything(own)
    assert_exact(found, table, own)
    able = [i for i in range(own.points) if table["rows"][i] * table["cols"][i] <= most]
    assert all(rows * cols <= most for rows, cols in found.costs)
    assert found.best is not None
    least = min(table["cycles"][i] for i in able)
    assert found.costs[found.best]["cycles"] <= 1.01 * least
    assert len(found.costs) < len(able) / 2


@pytest.mark.slow
@pytest.mark.parametrize("descent", [{"objective": "edp"}, {"objective": "cycles", "max_area_mm2": 1.0}])
def test_the_best_design_with_a_memory(descent: dict[str, Any]) -> None:
    own = checked(PRICED, **descent, starts=8, steps=40)
    found, table = searched(own), everything(own)
    assert_exact(found, table, own)
    column = schema.COLUMNS[own.descent.objective]
    limit = descent.get("max_area_mm2", np.inf) * 1e6
    able = [i for i in range(own.points) if table[column][i] is not None and table["area_um2"][i] <= limit]
    assert found.best is not None
    assert found.costs[found.best][column] <= 1.02 * min(table[column][i] for i in able)
    assert len(found.costs) < own.points / 4
    # The relaxed objective is near the exact one at whole sizes.
    off = [found.relaxed[each] / cost[column] for each, cost in found.costs.items() if cost[column] is not None]
    assert 0.8 < np.median(off) < 1.1


def test_ends_are_the_best_corners_around_where_descents_ended() -> None:
    own = checked(BARE, max_pes=100, starts=3, steps=5)
    found = searched(own)
    for logs, end in zip(found.descent.logs, found.ends, strict=True):
        sides = [(int(np.floor(size + 1e-9)), int(np.ceil(size - 1e-9))) for size in np.exp2(logs)]
        corners = [each for each in itertools.product(*sides) if each in found.costs]
        assert end == min(corners, key=lambda each: found.costs[each]["cycles"], default=None)


def test_where_nothing_is_within_the_limits_nothing_is_found() -> None:
    space = {"rows": [8, 16], "cols": [8]}
    found = searched(checked({"space": space}, max_pes=10, starts=2, steps=5))
    assert (found.best, found.costs, found.ends) == (None, {}, [None, None])


def test_limits_are_those_of_the_exact_area() -> None:
    kind = Kind("interleaved", "separate", True, "bf16")
    own = checked(PRICED)
    (chunk,) = chunks(own)
    exact = area.area(machine(own, chunk, TECHNOLOGY, 8, 16, 4, 2.0), "interleaved").total_um2 / 1e6
    for limit, within in ((exact, True), (exact * 0.999, False)):
        limited = checked(PRICED, max_area_mm2=limit)
        assert within_limits((8, 16, 4, 2.0), kind, limited, TECHNOLOGY) is within


def test_the_loss_grows_beyond_a_limit() -> None:
    kind = Kind("interleaved", "separate", False, "bf16")
    free, limited = (Goal(kind, checked(BARE, **wanted), LAYERS, None) for wanted in ({}, {"max_pes": 100}))
    with jax.enable_x64(True):
        for sides, over in (((10, 10), 1.0), ((20, 10), 2.0)):
            logs = jnp.log2(jnp.array(sides, float))
            more = limited.loss(logs, limited.choose(logs)) - free.loss(logs, free.choose(logs))
            assert float(more) == pytest.approx(8 * np.log(over), abs=1e-9)
