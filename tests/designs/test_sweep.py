"""Swept points against the same points costed one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxgrad_models
from jaxgrad.array.counts import ACCESSES, CYCLES
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.base.errors import InputError
from jaxgrad.costs import orders, step_cost, summary
from jaxgrad.designs import bounds, engine, schema, space, sweep
from jaxgrad.designs.space import check_together, chunks
from jaxgrad.flax import step_gemms
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, Precision, load_technology
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


def swept(own: schema.Sweep, layers: Sequence[LayerGemm] = LAYERS) -> sweep.Table:
    known = TECHNOLOGY if own.has_memory else None
    tables = [sweep.compute(chunk, own, layers, known) for chunk in chunks(own)]
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


@given(
    rows=st.lists(st.integers(1, 20), min_size=1, max_size=4, unique=True),
    cols=st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True),
    buffered=st.booleans(),
)
@settings(max_examples=8)
def test_without_a_memory_every_point_is_what_step_cost_says(rows: list[int], cols: list[int], buffered: bool) -> None:
    names = list(TRAINING_SCHEDULES)
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


def points(
    own: schema.Sweep, table: sweep.Table, layers: Sequence[LayerGemm] = LAYERS, every: int = 1
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Of each point, or one in so many, what the sweep says, and what ``jaxgrad run`` says."""
    (chunk,) = chunks(own)
    pairs = []
    for index in range(0, own.points, every):
        point = {name: table[name][index] for name in chunk.designs()}
        # A column that no design has, such as areas of a datapath without figures, is left out.
        swept_results = {name: table[name][index] if name in table else None for name in sweep.RESULTS}
        pairs.append((swept_results, sweep.one(point, chunk, own, layers, TECHNOLOGY)))
    return pairs


def assert_same(swept_results: dict[str, Any], run: dict[str, Any]) -> None:
    """Whole numbers are equal, and what is computed of them in floating point is, but for rounding."""
    whole = ("cycles", "stall_cycles", "sram_accesses_words", "dram_bytes")
    assert {name: swept_results[name] for name in whole} == {name: run[name] for name in whole}
    for name in sweep.RESULTS:
        assert (swept_results[name] is None) is (run[name] is None)
        assert run[name] is None or swept_results[name] == pytest.approx(run[name], rel=1e-12), name


@pytest.mark.parametrize(("schedule", "order"), [("interleaved", "separate"), ("sequential", "alternating")])
def test_a_sweep_says_what_run_says(schedule: str, order: str) -> None:
    own = small(**SPACE | {"rows": [4, 20], "schedule": [schedule], "order": [order]})
    pairs = points(own, swept(own, LAYERS[1:3]), LAYERS[1:3])
    fitting = [pair for pair in pairs if pair[1]["cycles"] is not None]
    assert len(pairs) > len(fitting) > len(pairs) / 2
    for swept_results, run in pairs:
        assert_same(swept_results, run)


IGO = ("best_of_igo",)  # whose alternating nests compute dX and dW apart
OTHERS = tuple(order for order in (*orders.FUSED, *orders.CHOICES) if order not in IGO)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedules", "asked", "buffered"),
    [
        (("interleaved", "auto"), OTHERS, True),
        (("ws_only",), OTHERS[:1], False),
        (("sequential", "os_only"), IGO, False),
    ],
    ids=["fused, buffered", "fused, not buffered", "apart, not buffered"],
)
def test_a_sweep_says_what_run_says_of_every_order(
    schedules: tuple[str, ...], asked: tuple[str, ...], buffered: bool
) -> None:
    """Of layers that want both gradients, or one; orders together, which share the searches of their parts."""
    layers = [layer for layer in LAYERS if layer.path != "conv"]
    changes = {"schedule": schedules, "order": asked, "double_buffered": [buffered], "precision": ["mxfp6"]}
    own = small(**SPACE | {name: list(values) for name, values in changes.items()})
    own = own.model_copy(update={"machine": own.machine.model_copy(update={"memory_double_buffered": buffered})})
    # No axis has a multiple of five values, so that one point in five meets every value of each.
    for swept_results, run in points(own, swept(own, layers), layers, every=5):
        assert_same(swept_results, run)


LEVEL = {"name": "buffer", "size_kib": 64, "width_bits": 256, "pj_per_bit": 0.1}


def with_levels(space: dict[str, Any], levels: list[dict[str, Any]], **sections: Any) -> schema.Sweep:
    machine = {"technology": "horowitz-45nm", "levels": levels} if "sram_kib" in space else {"levels": levels}
    return schema.check({"workload": {"layers": [[1, 1]]}, "space": space, "machine": machine, **sections}, "F")


def test_a_sweep_with_levels_says_what_step_cost_says() -> None:
    one_array = {"rows": [4], "cols": [5], "sram_kib": [2, 64], "dram_gb_per_s": [0.5], "order": ["best"]}
    own = with_levels(SPACE | one_array, [LEVEL])
    table = swept(own, LAYERS[1:2])
    assert len(table["cycles"]) == own.points == 4
    level = Level("buffer", 64 << 10, width_bits=256, pj_per_bit=0.1)
    for index in (0, 3):
        schedule, kib = table["schedule"][index], table["sram_kib"][index]
        machine = Machine(Accelerator(4, 5), Memory(kib << 10, 0.5, levels=(level,)), Precision.of("bf16"), TECHNOLOGY)
        cost = step_cost(LAYERS[1:2], Emulation(machine.array), [schedule], machine=machine, order="best")
        step = summary(cost, schedule).select("step")
        assert (table["cycles"][index], table["dram_bytes"][index]) == (step.time_cycles, step.dram_bytes)
        assert table["energy_pj"][index] == sum(step.energy_pj.values())
        assert (step.energy_pj["buffer"] > 0) is (kib == 2)
    assert [chunk.points for chunk in chunks(with_levels(SPACE, [LEVEL]))] == [12, 12, 12, 12]


@pytest.mark.parametrize(
    ("space", "levels", "sections", "said"),
    [
        ({}, [LEVEL], {}, "machine.levels in F: got ['buffer']; they are around a scratchpad, so give space.sram_kib"),
        (
            {"sram_kib": [4, 65], "dram_gb_per_s": [1.0]},
            [LEVEL],
            {},
            "machine.levels in F: got 65536 bytes of 'buffer'",
        ),
        ({"sram_kib": [4], "dram_gb_per_s": [1.0]}, [{}], {}, "machine.levels.0"),
        ({"sram_kib": [4], "dram_gb_per_s": [1.0]}, [LEVEL], {"search": {"plans": "coarse"}}, "search.plans in F: got"),
    ],
)
def test_levels_that_will_not_do_are_one_line(
    space: dict[str, Any], levels: list[dict[str, Any]], sections: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as raised:
        with_levels({"rows": [2], "cols": [2], **space}, levels, **sections)
    assert str(raised.value).startswith(said), raised.value
    assert len(str(raised.value).splitlines()) == 1


def test_what_64_bits_do_not_hold_is_what_run_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """In integers, which take over from floats; and one by one, where they will not do either."""
    own, layers = small(**SPACE | {"schedule": ["sequential"], "rows": [4], "cols": [5]}), LAYERS[1:3]
    in_floats = swept(own, layers)
    monkeypatch.setattr(bounds, "_MOST_FLOAT", 1)
    bounds._holds.cache_clear()
    assert swept(own, layers) == in_floats
    refusal = InputError("batch", 1, "give less")
    monkeypatch.setattr(engine, "with_memory", lambda *_: (_ for _ in ()).throw(refusal))
    one_by_one = swept(own, layers)
    for name in ("cycles", "stall_cycles", "sram_accesses_words", "dram_bytes"):
        assert one_by_one[name] == in_floats[name], name


@pytest.mark.slow
def test_60_machines_of_the_resnet50_sweep_are_what_run_says() -> None:
    """The bounds that were set are 0.5 % in the mean and 3 % at worst; all cuts being looked at, nothing differs."""
    file = Path(__file__).parents[2] / "experiments" / "sweeps" / "resnet50.toml"
    own = schema.load(file)
    images = jax.ShapeDtypeStruct((4, *jaxgrad_models.INPUT_SHAPES["resnet50"]), jnp.float32)
    gemms, technology = step_gemms(jaxgrad_models.abstract("resnet50"), images), space.technology(own, file.parent)
    rng = np.random.default_rng(8)
    machines = [tuple(rng.choice(values).item() for values in own.axes.values()) for _ in range(60)]
    arrays = [machine[:2] for machine in machines[:15]]  # of each what costs time is computed once
    machines = [(*arrays[index % 15], *machine[2:]) for index, machine in enumerate(machines)]
    chunk = replace(chunks(own)[0], arrays=tuple(dict.fromkeys(arrays)))
    table = sweep.compute(chunk, own, gemms, technology)
    designs = [tuple(row) for row in zip(*(table[name] for name in (*own.axes, "schedule")), strict=True)]
    places = {design: index for index, design in enumerate(designs)}
    for machine, schedule in itertools.product(machines, own.space.schedule):
        point = dict(zip(own.axes, machine, strict=True)) | {"schedule": schedule, "order": "separate"}
        place = places[*machine, schedule]
        assert_same(
            {name: table[name][place] for name in sweep.RESULTS}, sweep.one(point, chunk, own, gemms, technology)
        )


@pytest.mark.slow
def test_coarse_plans_are_plans() -> None:
    """No better than the best of all plans, and nearly as good."""
    own = small(**SPACE)
    pairs = points(own, swept(own.model_copy(update={"search": schema.SearchSection(plans="coarse")})))
    ratios = []
    for coarse, full in pairs:
        if coarse["cycles"] is None or full["cycles"] is None:
            assert full["cycles"] is None or coarse["cycles"] is None
            continue
        ratios.append(coarse["cycles"] / full["cycles"])
        assert coarse["area_um2"] == pytest.approx(full["area_um2"])
    assert len(ratios) > len(pairs) / 2
    assert all(ratio >= 1 for ratio in ratios)
    assert 1 < sum(ratios) / len(ratios) < 1.1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": []}, "space.rows in F: got []"),
        ({"rows": {"first": 4, "last": 2, "step": 1}}, "space.rows in F: got"),
        ({"rows": [4, 4]}, "space.rows"),
        ({"order": ["alternating"]}, "space.order in F: got 'alternating' with schedule 'interleaved', which computes"),
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


@pytest.mark.parametrize(
    ("cols", "check", "said"),
    [
        (200, chunks, "space: got 1800000000 points; give at most 1000000000"),
        (2, check_together, "space: got 18000000 points; give at most 10000000 to cost them all"),
    ],
)
def test_only_what_costs_every_design_has_too_many_points(
    cols: int, check: Callable[[schema.Sweep], object], said: str
) -> None:
    own = small(rows={"first": 1, "last": 9_000_000, "step": 1}, cols=list(range(1, cols + 1)))  # descents take as many
    with pytest.raises(ValueError, match="got") as raised:
        check(own)
    assert str(raised.value).startswith(said), raised.value
    assert len(str(raised.value).splitlines()) == 1
