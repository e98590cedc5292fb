"""jaxgrad.costs.levels_search: plans through memories that have levels, against walking them, and laws of levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxgrad.array.counts import CYCLES, STALLS, Key
from jaxgrad.costs import hierarchy, levels_search
from jaxgrad.costs.hierarchy import Plan, Planner, memory_keys
from jaxgrad.costs.orders import CHOICES, FUSED, SHARED
from jaxgrad.costs.search import OBJECTIVES, Unfit
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, PerOperand
from jaxgrad.hardware.level import KEPT
from tests.costs.layers import arrayed, arrays, precisions
from tests.costs.layers import shapes as layers
from tests.costs.test_levels import walked
from tests.costs.walker import array_counts, held_bytes

PASSES = (
    *(("forward", "separate"), ("sequential", "separate"), ("sequential", "dx_major"), ("sequential", "best")),
    *(("sequential", "alternating"), ("os_only", "alternating"), ("sequential", "best_of_igo"), ("ws_only", "rule")),
    *(("interleaved", "best"), ("interleaved", "k_major"), ("ws_only", "separate"), ("auto", "best")),
)
# A layer of which no memory holds much, and one whose weights alone stop at the level.
LAYER = Shapes(12, 14, 13, 168)
SMALL = Machine(Accelerator(2, 2), Memory(200, 2.0, levels=(Level("near", 900, 8.0),)))
FOR_WEIGHTS = Machine(Accelerator(2, 2), Memory(200, 2.0, levels=(Level("near", 900, 8.0, keeps=("w", "dw")),)))
passes = st.sampled_from(PASSES)
objectives = st.sampled_from(OBJECTIVES)


@st.composite
def machines(draw: st.DrawFn, most: int = 2, **level: Any) -> Machine:
    """With one to ``most`` levels, ``level`` saying what they have in common; some can't hold anything."""
    size = st.integers(30, 200)
    scratchpad = PerOperand(*(draw(size) for _ in range(5))) if draw(st.booleans()) else draw(st.integers(80, 500))
    levels: list[Level] = []
    bytes_inside = Memory(scratchpad, 1.0).total_bytes
    for name in ("near", "far")[: draw(st.integers(1, most))]:
        bytes_inside += draw(st.integers(0, 600))
        keeps = draw(st.lists(st.sampled_from(KEPT)) | st.just(list(KEPT)))
        rate, double_buffered = draw(st.sampled_from([0.5, 3.0, 40.0])), draw(st.booleans())
        width = draw(st.sampled_from([None, None, 32, 128]))
        drawn = {"gb_per_s": rate, "keeps": keeps, "double_buffered": double_buffered, "width_bits": width}
        levels.append(Level(name, bytes_inside, **(drawn | level)))
    memory = Memory(scratchpad, draw(st.sampled_from([0.5, 2.0, 22.0])), 1.0, draw(st.booleans()), levels=tuple(levels))
    return Machine(draw(arrays(3)), memory, draw(precisions()))


def plan(layer: Shapes, machine: Machine, schedule: str, order: str, objective: str) -> Plan | Unfit:
    planner = Planner(machine, arrayed(layer), objective)
    (found,) = planner.forward("ws") if schedule == "forward" else planner.backward(schedule, order)
    return found


def changed(machine: Machine, **memory: Any) -> Machine:
    assert machine.memory is not None
    return replace(machine, memory=replace(machine.memory, **memory))


def levels_of(machine: Machine) -> tuple[Level, ...]:
    assert machine.memory is not None
    return machine.memory.levels


def key(found: Plan | Unfit, objective: str) -> tuple[int, int] | Unfit:
    if isinstance(found, Unfit):
        return found
    return (found.cycles, found.dram_bytes) if objective == "cycles" else (found.dram_bytes, found.cycles)


def counted(found: Plan, layer: Shapes, machine: Machine) -> dict[Key, int]:
    total: dict[Key, int] = {}
    for phase in hierarchy.counts(found, layer, machine).values():
        for name, count in phase.items():
            total[name] = total.get(name, 0) + count
    return total


@settings(max_examples=30)
@given(layer=layers(6), machine=machines(), run=passes, objective=objectives)
@example(LAYER, SMALL, ("forward", "separate"), "cycles")
@example(LAYER, FOR_WEIGHTS, ("sequential", "separate"), "cycles")
@example(LAYER, SMALL, ("interleaved", "k_major"), "dram")
def test_a_plan_counts_what_walking_it_counts_and_fits(
    layer: Shapes, machine: Machine, run: tuple[str, str], objective: str
) -> None:
    found = plan(layer, machine, *run, objective)
    if isinstance(found, Unfit):
        return
    counts = counted(found, layer, machine)
    expected: dict[Key, int] = {}
    assert machine.memory is not None
    for part in found.runs:
        walk = walked(part, layer, Storage.of(machine.memory), machine.precision)
        widths = {level.name: level.width_bytes for level in machine.memory.levels if level.width_bytes}
        counts_of_part = array_counts(walk.steps, part.mappings, machine.array) | walk.counts(layer)
        for name, count in (counts_of_part | walk.accesses(widths, layer, machine.precision)).items():
            expected[name] = expected.get(name, 0) + count
        for outer in part.outer:
            for held in walk.most[outer.tier.name]:
                taken = sum(held_bytes(tensor, count, layer, machine.precision) for tensor, count in held.items())
                assert taken <= outer.tier.usable_bytes
        usable = Storage.of(machine.memory).usable_bytes
        for held in walk.most["sram"]:
            taken = {name: held_bytes(name, count, layer, machine.precision) for name, count in held.items()}
            if isinstance(usable, Mapping):
                assert all(size <= usable["dx" if name == "y" else name] for name, size in taken.items())
            else:
                assert sum(taken.values()) <= usable
    assert found.cycles == counts[CYCLES] + counts[STALLS]
    phases = hierarchy.counts(found, layer, machine).values()
    assert found.dram_bytes == sum(dram_bytes(phase, machine.precision) for phase in phases)
    assert set(counts) <= {CYCLES, *memory_keys(machine)} | {name for name in counts if name.level in ("sram", "pe")}
    moved = {name: count for name, count in counts.items() if count and not name.action.endswith("cycles")}
    assert moved == {name: count for name, count in expected.items() if name != CYCLES}
    assert counts[CYCLES] == expected[CYCLES]


@settings(max_examples=40)
@given(layer=layers(7), machine=machines(keeps=()), run=passes, objective=objectives)
def test_levels_that_keep_nothing_change_nothing(
    layer: Shapes, machine: Machine, run: tuple[str, str], objective: str
) -> None:
    bare = changed(machine, levels=())
    with_levels, without = plan(layer, machine, *run, objective), plan(layer, bare, *run, objective)
    assert key(with_levels, objective) == key(without, objective)
    if isinstance(with_levels, Plan) and isinstance(without, Plan):
        counts = counted(with_levels, layer, machine)
        assert {name: counts[name] for name in counted(without, layer, bare)} == counted(without, layer, bare)
    if isinstance(with_levels, Plan):
        assert not any(count for name, count in counted(with_levels, layer, machine).items() if name.level == "near")


@settings(max_examples=40)
@given(
    layer=layers(7),
    machine=machines(1, keeps=KEPT, double_buffered=True),
    run=passes.filter(lambda run: run[1] in ("separate", *FUSED)),  # others may alternate within blocks of the level
    objective=objectives,
)
def test_a_level_as_small_as_the_scratchpad_changes_nothing(
    layer: Shapes, machine: Machine, run: tuple[str, str], objective: str
) -> None:
    assert machine.memory is not None
    (level,) = machine.memory.levels
    sram_bytes = machine.memory.total_bytes
    same = changed(machine, sram_bytes=sram_bytes, double_buffered=True, levels=[replace(level, size_bytes=sram_bytes)])
    bare = changed(same, levels=())
    assert key(plan(layer, same, *run, objective), objective) == key(plan(layer, bare, *run, objective), objective)


@settings(max_examples=40)
@given(layer=layers(7), machine=machines(), run=passes.filter(lambda run: run[1] != "best"), objective=objectives)
def test_a_level_never_hurts(layer: Shapes, machine: Machine, run: tuple[str, str], objective: str) -> None:
    with_levels, without = (
        plan(layer, each, *run, objective) for each in (machine, changed(machine, levels=levels_of(machine)[:-1]))
    )
    if isinstance(without, Unfit):
        assert with_levels == without
    else:
        assert key(with_levels, objective) <= key(without, objective)  # pyright: ignore[reportOperatorIssue]


@settings(max_examples=30)
@given(layer=layers(7), machine=machines(1, keeps=KEPT, double_buffered=True), run=passes)
def test_a_level_as_large_as_the_layer_moves_each_word_of_dram_once(
    layer: Shapes, machine: Machine, run: tuple[str, str]
) -> None:
    (level,) = levels_of(machine)
    large = changed(machine, levels=[replace(level, size_bytes=1 << 30)])
    found = plan(layer, large, *run, "dram")
    if isinstance(found, Unfit):
        return
    for part in found.runs:
        moved = {
            name: count
            for name, count in counted(found._replace(runs=(part,)), layer, large).items()
            if name.level == "dram" and count
        }
        operands = [name for nest in part.nests for name in nest.operands]
        once = {Key("dram", name, "reads"): layer.words[name] for name in operands}
        assert moved == once | {Key("dram", name, "writes"): layer.words[name] for name in part.results}


@settings(max_examples=15)
@given(
    layer=layers(8),
    machine=machines(1, keeps=KEPT),
    run=passes,
    more=st.integers(0, 600),
)
def test_more_of_a_level_never_brings_more_of_dram(
    layer: Shapes, machine: Machine, run: tuple[str, str], more: int
) -> None:
    (level,) = levels_of(machine)
    larger = changed(machine, levels=[replace(level, size_bytes=level.size_bytes + more)])
    small, large = plan(layer, machine, *run, "dram"), plan(layer, larger, *run, "dram")
    if isinstance(small, Plan) and isinstance(large, Plan):
        assert large.dram_bytes <= small.dram_bytes
    else:
        assert small == large


@settings(max_examples=10)
@given(layer=layers(7), machine=machines(1), run=passes.filter(lambda run: run[1] != "best"), objective=objectives)
@example(LAYER, SMALL, ("forward", "separate"), "cycles")
@example(LAYER, FOR_WEIGHTS, ("sequential", "separate"), "cycles")
@example(LAYER, SMALL, ("interleaved", "k_major"), "dram")
def test_what_is_not_tried_could_hardly_be_better(
    layer: Shapes, machine: Machine, run: tuple[str, str], objective: str
) -> None:
    """Less than the 1 % for which the search goes on, of each run."""
    found = plan(layer, machine, *run, objective)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels_search, "_worth_it", lambda bound, best: True)
        patch.setattr(levels_search, "_MOST", 10**6)
        best = plan(layer, machine, *run, objective)
    if isinstance(found, Plan) and isinstance(best, Plan):
        first, least = (each.cycles if objective == "cycles" else each.dram_bytes for each in (found, best))
        assert least <= first <= least * 100 / 99
    else:
        assert found == best


def test_of_plans_as_fast_as_each_other_the_one_of_the_fewest_bytes_is_taken() -> None:
    """The array's time hides all transfers; of the nests around a block some move x, w and y once and others do not."""
    layer = Shapes(5, 6, 15, 30)
    machine = Machine(Accelerator(2, 2), Memory(111, 4.0, levels=(Level("near", 736, 400.0, double_buffered=True),)))
    found, of_fewest_bytes = (plan(layer, machine, "forward", "separate", objective) for objective in OBJECTIVES)
    assert isinstance(found, Plan)
    assert isinstance(of_fewest_bytes, Plan)
    assert found.dram_bytes == of_fewest_bytes.dram_bytes == 4 * (5 * 6 + 6 * 15 + 5 * 15)
    assert found.cycles <= of_fewest_bytes.cycles


@pytest.mark.parametrize("machine", [SMALL, FOR_WEIGHTS])
def test_choices_of_orders_are_those_that_they_name(machine: Machine) -> None:
    orders = {order: plan(LAYER, machine, "ws_only", order, "cycles") for order in ("separate", *SHARED)}
    keys = {order: key(found, "cycles") for order, found in orders.items()}
    of_igo = [keys[order] for order in CHOICES["best_of_igo"]]
    assert key(plan(LAYER, machine, "ws_only", "best_of_igo", "cycles"), "cycles") == min(of_igo)  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert key(plan(LAYER, machine, "ws_only", "best", "cycles"), "cycles") == min(keys.values())  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert plan(LAYER, machine, "ws_only", "rule", "cycles") == orders["alternating"]  # nearly cubic


def test_many_layers_at_once_are_each_on_its_own() -> None:
    machine = Machine(Accelerator(3, 2), Memory(600, 1.0, levels=(Level("buffer", 4000, 3.0, keeps=("x", "dy", "y")),)))
    several = [Shapes(7, 9, 8, 30), Shapes(3, 20, 5, 60), Shapes(12, 4, 11, 48), Shapes(7, 9, 8, 63)]
    together = Planner(machine, arrayed(*several)).backward("interleaved", "best")
    assert together == [plan(layer, machine, "interleaved", "best", "cycles") for layer in several]
