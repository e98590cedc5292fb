"""Swept points against the same points costed one by one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array.counts import ACCESSES, CYCLES
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import step_cost
from jaxgrad.designs import schema, sweep
from jaxgrad.designs.space import chunks
from jaxgrad.hardware import Accelerator, load_technology
from jaxgrad.programs import LayerGemm

LAYERS = [
    LayerGemm("stem", Gemm(50, 27, 8), 1, needs_dx=False, x_words=300),
    LayerGemm("conv", Gemm(40, 72, 12), 1, needs_dx=True, x_words=400),
    LayerGemm("depthwise", Gemm(40, 9, 1), 12, needs_dx=True, x_words=60, recomputed=12),
    LayerGemm("head", Gemm(8, 30, 10), 1, needs_dx=True, needs_dw=False),
]
TECHNOLOGY = load_technology("horowitz-45nm")


def small(**space: Any) -> schema.Sweep:
    machine = {"technology": "horowitz-45nm"} if "sram_kib" in space else {}
    return schema.check({"workload": {"layers": [[1, 1]]}, "space": space, "machine": machine}, "F")


def swept(own: schema.Sweep) -> sweep.Table:
    known = TECHNOLOGY if own.has_memory else None
    tables = [sweep.compute(chunk, own, LAYERS, known) for chunk in chunks(own)]
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


@given(
    rows=st.lists(st.integers(1, 20), min_size=1, max_size=4, unique=True),
    cols=st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True),
    buffered=st.booleans(),
)
@settings(max_examples=8)
def test_without_a_memory_every_point_is_what_step_cost_says(rows: list[int], cols: list[int], buffered: bool) -> None:
    names = ["interleaved", "sequential", "ws_only", "os_only", "auto"]
    table = swept(small(rows=rows, cols=cols, double_buffered=[buffered], schedule=names))
    assert len(table["cycles"]) == len(names) * len(rows) * len(cols)
    for index, cycles in enumerate(table["cycles"]):
        array = Accelerator(table["rows"][index], table["cols"][index], buffered)
        schedule = table["schedule"][index]
        step = step_cost(LAYERS, Emulation(array), [schedule]).step(schedule)
        assert cycles == step[CYCLES]
        assert table["sram_accesses_words"][index] == sum(step[key] for key in ACCESSES)


SPACE: dict[str, Any] = {
    "rows": [4, 9],
    "cols": [5, 8],
    "schedule": ["interleaved", "ws_only"],
    "sram_kib": [1, 4, 64],
    "dram_gb_per_s": [0.5, 8.0],
}


@pytest.mark.slow
def test_coarse_plans_are_plans() -> None:
    """No better than the best of all plans, and nearly as good."""
    coarse, own = swept(small(**SPACE)), small(**SPACE)
    (chunk,) = chunks(own)
    ratios = []
    for index in range(own.points):
        point = {name: coarse[name][index] for name in chunk.designs()}
        full = sweep.one(point, chunk, own, LAYERS, TECHNOLOGY)
        if coarse["cycles"][index] is None or full["cycles"] is None:
            assert full["cycles"] is None or coarse["cycles"][index] is None
            continue
        ratios.append(coarse["cycles"][index] / full["cycles"])
        assert coarse["area_um2"][index] == pytest.approx(full["area_um2"])
        if point["sram_kib"] == 64:
            assert coarse["cycles"][index] == pytest.approx(full["cycles"], rel=0.15)
            assert coarse["energy_pj"][index] == pytest.approx(full["energy_pj"], rel=0.15)
    assert len(ratios) > own.points / 2
    assert all(ratio >= 1 for ratio in ratios)
    assert sum(ratios) / len(ratios) < 1.1


@pytest.mark.slow
def test_full_plans_are_those_of_step_cost() -> None:
    tree = {"workload": {"layers": [[1, 1]]}, "space": SPACE, "machine": {"technology": "horowitz-45nm"}}
    own = schema.check({**tree, "search": {"plans": "full"}}, "F")
    table = swept(own)
    keys = itertools.product(
        SPACE["schedule"], [(r, c) for r in SPACE["rows"] for c in SPACE["cols"]], SPACE["sram_kib"]
    )
    assert len(list(keys)) * 2 == len(table["cycles"])
    (chunk,) = chunks(own)
    first = {name: table[name][-1] for name in chunk.designs()}
    assert {name: table[name][-1] for name in sweep.RESULTS} == sweep.one(first, chunk, own, LAYERS, TECHNOLOGY)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": []}, "space.rows in F: got []"),
        ({"rows": {"first": 4, "last": 2, "step": 1}}, "space.rows in F: got"),
        ({"rows": [4, 4]}, "space.rows"),
        ({"schedule": ["interleavd"]}, "space.schedule.0 in F: got 'interleavd'; choose one of"),
        ({"sram_kib": [4]}, "space.sram_kib in F: got"),
        ({"sram_kib": [1 << 62], "dram_gb_per_s": [1.0]}, "space.sram_kib.0 in F: got 4611686018427387904; give a who"),
        ({"dram_gb_per_s": [-1.0], "sram_kib": [4]}, "space.dram_gb_per_s.0 in F: got -1.0"),
    ],
)
def test_a_space_that_will_not_do_is_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="got") as raised:
        small(**{"rows": [2], "cols": [2], **changes})
    assert str(raised.value).startswith(said), raised.value
    assert len(str(raised.value).splitlines()) == 1


def test_only_a_sweep_has_too_many_points() -> None:
    own = small(rows={"first": 1, "last": 9_000_000, "step": 1}, cols=[1, 2])  # a search takes as many
    with pytest.raises(ValueError, match="got") as raised:
        chunks(own)
    assert str(raised.value).startswith("space: got 18000000 points; give at most 10000000"), raised.value
    assert len(str(raised.value).splitlines()) == 1
