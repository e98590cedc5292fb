"""Costs of a training step: sums of the closed forms that the core gives, and measured counts in their place."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from jaxgrad.array.counters import Counters
from jaxgrad.array.counting import count, count_forward
from jaxgrad.array.counts import (
    CYCLES,
    DRAM,
    EFFECTUAL_MACS,
    KEYS,
    MACS,
    READS,
    SRAM,
    STALLS,
    WRITES,
    Key,
    by_name,
    stalls_of,
)
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import INTERLEAVED, SCHEDULES, SEQUENTIAL, Schedule, find
from jaxgrad.autodiff import LayerCounters
from jaxgrad.costs import (
    BASELINES,
    TRAINING_SCHEDULES,
    Counts,
    Phase,
    StepCost,
    accesses,
    energy,
    hierarchy,
    measured,
    step_cost,
    time_cycles,
)
from jaxgrad.costs.hierarchy import DRAM_KEYS, Plan, Planner
from jaxgrad.costs.transfers import Shapes, dram_bytes
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, PerOperand, Precision, VectorUnit, load_technology
from jaxgrad.programs import LayerGemm, VectorWork
from tests.keys import KEY
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(4, 3)
LAYERS = (
    LayerGemm(path="stem", gemm=Gemm(20, 9, 8), times=1, needs_dx=False),
    LayerGemm(path="depthwise", gemm=Gemm(20, 9, 1), times=8, needs_dx=True),
    LayerGemm(path="head", gemm=Gemm(5, 8, 10), times=1, needs_dx=True),
)


def test_the_training_schedules_are_those_with_both_gradients() -> None:
    assert set(TRAINING_SCHEDULES) == set(SCHEDULES) - {"ws", "os"}
    assert set(BASELINES) < set(TRAINING_SCHEDULES)


@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_a_layer_costs_its_gemms(schedule: str) -> None:
    cost = step_cost(LAYERS, Emulation(ARRAY, forward="os", objective="accesses"), [schedule])
    for layer, own in zip(LAYERS, cost.layers, strict=True):
        expected = count(layer.gemm, ARRAY, schedule, objective="accesses", dx=layer.needs_dx).counts()
        assert own.backward == {schedule: {name: layer.times * value for name, value in expected.items()}}
        forward = count_forward(layer.gemm, ARRAY, "os").counts()
        assert own.forward == {name: layer.times * value for name, value in forward.items()}


def test_totals_are_sums_over_layers() -> None:
    cost = step_cost(LAYERS, Emulation(ARRAY))
    for schedule in TRAINING_SCHEDULES:
        for key in KEYS:
            assert cost.total(schedule)[key] == sum(layer.backward[schedule][key] for layer in cost.layers)
    assert cost.total_forward()[MACS] == 20 * 9 * 8 + 8 * 20 * 9 + 5 * 8 * 10


def test_a_layer_of_several_shapes_is_one_layer() -> None:
    wide, narrow = LayerGemm("shared", Gemm(4, 5, 6), 2, True), LayerGemm("shared", Gemm(3, 5, 6), 1, False)
    cost = step_cost([wide, narrow], Emulation(ARRAY), ["ws_only"])
    assert [layer.path for layer in cost.layers] == ["shared"]
    assert cost.total("ws_only")[MACS] == 2 * 2 * 4 * 5 * 6 + 3 * 5 * 6
    assert cost.layers[0].needs_dx


# On 2 x 1 PEs the first layer runs fastest interleaved, the second on weight-stationary tiles alone (test_schedules).
FAR_APART = (LayerGemm("tall", Gemm(60, 9, 10), 2, needs_dx=True), LayerGemm("flat", Gemm(8, 16, 2), 1, needs_dx=True))


@pytest.mark.parametrize("memory", [None, Memory(1 << 20, 1e6, 1.0)], ids=["scratchpad alone", "memory"])
def test_auto_says_what_ran(memory: Memory | None) -> None:
    """By layer, in the records and in JSON; and what it says ran costs what it counts."""
    machine = Machine(Accelerator(2, 1), memory)
    cost = step_cost(FAR_APART, Emulation(machine.array), machine=machine, order="best")
    assert [layer.ran["auto"] for layer in cost.layers] == [("interleaved",), ("ws_only",)]
    for layer, record in zip(cost.layers, cost.as_dict()["layers"].values(), strict=True):
        (ran,) = layer.ran["auto"]
        assert layer.backward["auto"] == layer.backward[ran]
        assert record["ran"] == {name: [name] for name in TRAINING_SCHEDULES} | {
            "auto": [ran],
            "best": list(layer.ran["best"]),
        }
    counters = {layer.path: LayerCounters(Counters.zero(), Counters.zero()) for layer in cost.layers}
    assert [layer.ran for layer in measured(cost, "auto", counters, 3).layers] == [layer.ran for layer in cost.layers]


def test_a_layer_of_several_shapes_says_all_that_ran_for_it() -> None:
    shapes = [replace(layer, path="shared") for layer in FAR_APART]
    forward_alone = LayerGemm("shared", Gemm(1, 1, 1), 1, needs_dx=False, needs_dw=False)
    (layer,) = step_cost([*shapes, forward_alone], Emulation(Accelerator(2, 1))).layers
    assert layer.ran["auto"] == ("interleaved", "ws_only")
    assert step_cost([forward_alone], Emulation(ARRAY)).layers[0].ran["auto"] == ()


@pytest.mark.parametrize("memory", [None, Memory(1 << 20, 8.0, 1.0)], ids=["scratchpad alone", "memory"])
def test_a_schedule_of_one_gradient_costs_nothing_where_the_other_is_wanted(memory: Memory | None) -> None:
    first = LayerGemm("first", Gemm(3, 4, 5), 1, needs_dx=False)
    (layer,) = step_cost([first], Emulation(ARRAY), ["ws"], machine=Machine(ARRAY, memory)).layers
    assert not any(layer.backward["ws"].values())
    assert layer.ran["ws"] == ()


def test_two_schedules_of_one_name_are_refused() -> None:
    one, other = (Schedule("mine", [mapping]) for mapping in (INTERLEAVED, SEQUENTIAL))
    refusal = Refusal(lambda: step_cost(LAYERS, Emulation(ARRAY), [one, other]), "schedules", "two named 'mine'", "own")
    assert_refused(refusal)
    assert step_cost(LAYERS, Emulation(ARRAY), [one, one, "auto"]).schedules == ("mine", "auto")


def test_frozen_weights_and_recomputed_forwards_are_counted_as_they_are() -> None:
    layer = LayerGemm("frozen", Gemm(4, 5, 6), times=1, needs_dx=True, needs_dw=False, recomputed=1)
    cost = step_cost([layer], Emulation(ARRAY), ["interleaved"])
    assert cost.total("interleaved") == count(Gemm(4, 5, 6), ARRAY, dw=False).counts()
    assert cost.total_forward()[MACS] == 2 * 4 * 5 * 6


def test_only_the_interleaved_schedule_updates_in_the_array() -> None:
    cost = step_cost(LAYERS[2:], Emulation(ARRAY, weight_update="in_array"), ("interleaved", "sequential"))
    own, other = (cost.total(schedule) for schedule in cost.schedules)
    assert (own[KEY["w_writes"]], own[KEY["dw_writes"]], own[KEY["dw_reads"]]) == (80, 0, 0)
    assert (other[KEY["w_writes"]], other[KEY["dw_writes"]], other[KEY["dw_reads"]]) == (80, 80, 80)


def test_accesses_are_reads_and_writes_alone() -> None:
    counts = {key: 1 if key.name.endswith(("_reads", "_writes")) else 1000 for key in KEYS}
    assert accesses(counts) == 8 == Counters.from_counts(counts).accesses()


def test_measured_counts_take_the_place_of_the_schedule_s_own() -> None:
    shapes = step_cost(LAYERS[2:], Emulation(ARRAY), ("interleaved", "ws_only"))
    forward, backward = Counters.of(cycles=11, effectual_macs=5), Counters.of(cycles=2**40, effectual_macs=7)
    cost = measured(shapes, "interleaved", {"head": LayerCounters(forward, backward)}, steps=10)
    assert cost.steps == 10
    assert cost.layers[0].forward == forward.counts()
    assert cost.layers[0].backward["interleaved"] == backward.counts()
    expected = {name: 10 * value for name, value in shapes.total("ws_only").items()} | {EFFECTUAL_MACS: 7}
    assert cost.layers[0].backward["ws_only"] == expected


def test_it_is_plain_data_for_json() -> None:
    cost = step_cost(LAYERS, Emulation(ARRAY))
    data = json.loads(json.dumps(cost.as_dict()))
    assert list(data["layers"]) == ["stem", "depthwise", "head"]
    assert data["layers"]["depthwise"]["gemms_per_step"] == [
        {
            "batch": 20,
            "in_features": 9,
            "out_features": 1,
            "times": 8,
            "needs_dx": True,
            "needs_dw": True,
            "recomputed": 0,
        }
    ]
    assert data["total"]["backward"]["auto"] == by_name(cost.total("auto"))


# With a memory: the laws of the hierarchy, summed over layers.

MEMORY = Memory(2**14, 4.0)
MACHINE = Machine(ARRAY, MEMORY, Precision.of("bf16"), load_technology("horowitz-45nm"), VectorUnit(4))
WORK = (
    VectorWork("activation", "forward", 40, 30, 10),
    VectorWork("activation", "forward", 2, 1, 1, path="head"),
    VectorWork("normalisation", "backward", 100, 60, 20),
    VectorWork("update", "update", 7, 14, 7),
)
HUGE = Machine(ARRAY, Memory(2**50, 1e9))


def on(machine: Machine, schedule: str, order: str = "best", **options: Any) -> StepCost:
    emulation = Emulation(machine.array, weight_update=options.pop("weight_update", "none"))
    return step_cost(options.pop("layers", LAYERS), emulation, [schedule], machine=machine, order=order, **options)


@pytest.mark.parametrize("order", ["separate", "best"])
@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_phases_add_up_to_the_step(schedule: str, order: str) -> None:
    cost = on(MACHINE, schedule, order, vector_work=WORK, weight_update="separate")
    phases = cost.phases(schedule)
    vectors = {"vector forward", "vector backward", "vector update"}
    labels = {phase.label for phase in phases}
    assert vectors | {"forward", "update"} < labels <= vectors | {"forward", "dx", "dw", "dx+dw", "update"}
    for name in (*KEYS, *DRAM_KEYS, STALLS, KEY["vector_operations"], KEY["dram_vector_words"]):
        total = sum(counts.get(name, 0) for counts in phases.values())
        assert cost.step(schedule)[name] == total
        apart = sum(each.get(name, 0) for layer in cost.layers for each in layer.phases[schedule].values())
        assert total == apart + sum(work.counts.get(name, 0) for work in cost.vector)
        assert cost.total(schedule).get(name, 0) == sum(layer.backward[schedule].get(name, 0) for layer in cost.layers)


@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_energy_adds_up(schedule: str) -> None:
    cost = on(MACHINE, schedule, vector_work=WORK)
    prices = energy.table(MACHINE)
    by_phase = cost.energy_pj(schedule)
    assert set(by_phase) == set(cost.phases(schedule))
    whole = energy.energy_pj(cost.step(schedule), prices)
    for component in energy.COMPONENTS:
        assert sum(spent[component] for spent in by_phase.values()) == pytest.approx(whole[component])
    # without data every MAC counts as effectual
    assert on(replace(MACHINE, zero_gating=True), schedule).energy_pj(schedule)[Phase("forward")][
        "mac"
    ] == pytest.approx(by_phase[Phase("forward")]["mac"])


def test_energy_needs_a_machine_with_a_technology() -> None:
    with pytest.raises(ValueError, match=r"^technology: got none;"):
        on(replace(MACHINE, technology=None), "auto").energy_pj("auto")
    bare = replace(on(MACHINE, "auto"), machine=None)
    with pytest.raises(ValueError, match=r"^machine: got none;"):
        bare.energy_pj("auto")


@pytest.mark.parametrize("double_buffered", [False, True])
@pytest.mark.parametrize(
    ("schedule", "order"),
    [("interleaved", "best"), ("sequential", "dx_major"), ("ws_only", "separate"), ("os_only", "separate")],
)
def test_where_everything_fits_the_array_counts_as_without_a_memory(
    schedule: str, order: str, double_buffered: bool
) -> None:
    """All counters of the array, on layers of many shapes."""
    sizes = itertools.product((1, 2, 5, 12), (1, 3, 6, 10), (1, 2, 4, 9))
    layers = [LayerGemm(str(gemm), Gemm(*gemm), times=1, needs_dx=True) for gemm in sizes]
    array = Accelerator(3, 2, double_buffered)
    through = on(replace(HUGE, array=array), schedule, order, layers=layers)
    plain = step_cost(layers, Emulation(array), [schedule])
    for own, other in zip(through.layers, plain.layers, strict=True):
        assert {key: own.forward[key] for key in KEYS} == dict(other.forward)
        assert {key: own.backward[schedule][key] for key in KEYS} == dict(other.backward[schedule]), own.path
        assert own.backward[schedule][STALLS] <= 4  # a cycle for what comes first and for what leaves last


@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_a_layer_too_large_is_named(schedule: str) -> None:
    small = Machine(ARRAY, Memory(100, 1.0))
    refusal = Refusal(lambda: on(small, schedule), "sram_bytes", "100; layer 'stem' needs", "")
    with pytest.raises(
        ValueError, match=r"^sram_bytes: got 100; layer 'stem' needs [0-9]+ more for one tile"
    ) as raised:
        refusal.call()
    assert len(str(raised.value).splitlines()) == 1
    assert "4x3 array" in str(raised.value)


def test_the_layer_that_is_named_is_the_one_too_large() -> None:
    """A depthwise layer's single output takes a smaller tile than the head's."""
    layers = (LAYERS[1], LAYERS[2])
    fits = Machine(ARRAY, Memory(120, 1.0))
    on(fits, "ws_only", "separate", layers=layers[:1])
    with pytest.raises(ValueError, match=r"^sram_bytes: got 120; layer 'head' needs"):
        on(fits, "ws_only", "separate", layers=layers)


def test_what_is_lacking_is_enough() -> None:
    """For the forward pass, which is refused first."""

    def lacking(size: int) -> int | None:
        try:
            on(Machine(ARRAY, Memory(size, 1.0)), "ws_only", "separate", layers=LAYERS[2:])
        except ValueError as error:
            found = re.search(r"needs (\d+) more", str(error))
            assert found
            return int(found[1])
        return None

    size, tries = 10, 0
    while more := lacking(size):
        size, tries = size + more, tries + 1
        assert tries < 4
    assert lacking(size - 2)


def test_a_divided_scratchpad_too_small() -> None:
    divided = Machine(ARRAY, Memory(PerOperand(1000, 1000, 1000, 1000, 10), 1.0))
    with pytest.raises(
        ValueError, match=r"^sram_bytes: got 4010; layer 'stem' needs [0-9]+ more, in its smallest part,"
    ):
        on(divided, "ws_only", "separate")


@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_updates(schedule: str) -> None:
    """Separately, w and dW are read and w written, in DRAM too; in the array, w takes dW's place."""
    weights = sum(layer.times * layer.gemm.in_features * layer.gemm.out_features for layer in LAYERS)
    none, separate, in_array = (
        on(MACHINE, schedule, weight_update=how).step(schedule) for how in ("none", "separate", "in_array")
    )
    for level in (SRAM, DRAM):
        for moved in (("w", READS), ("dw", READS), ("w", WRITES)):
            assert separate[Key(level, *moved)] - none[Key(level, *moved)] == weights
    if find(schedule).among:  # a choice counts the schedule that runs as that counts itself
        assert in_array[STALLS] + in_array[CYCLES] <= separate[STALLS] + separate[CYCLES]
        return
    if schedule != "interleaved":
        assert in_array == separate
        return
    # the stem, which has no dX, has no w in the array
    stem, rest = 72, weights - 72
    for level in (SRAM, DRAM):
        changes = {
            moved: in_array[Key(level, *moved)] - none[Key(level, *moved)]
            for moved in (("w", READS), ("dw", READS), ("w", WRITES), ("dw", WRITES))
        }
        assert changes == {("w", READS): stem, ("dw", READS): stem, ("w", WRITES): weights, ("dw", WRITES): -rest}
    assert in_array[CYCLES] == none[CYCLES]


def test_a_separate_update_waits_for_dram_alone() -> None:
    """72 + 8 * 9 + 80 weights, for each 2 bytes of w and 4 of dW to read and 2 of w to write, at 4 bytes a cycle."""
    update = on(MACHINE, "ws_only", weight_update="separate").phases("ws_only")[Phase("update")]
    assert update[CYCLES] == 0
    assert update[STALLS] == 72 * 8 // 4 + 8 * (9 * 8 // 4) + 80 * 8 // 4


@pytest.mark.parametrize("double_buffered", [False, True])
def test_a_separate_update_takes_cycles_where_they_are_charged(double_buffered: bool) -> None:
    """80 weights: 160 cycles of transfers; on 4 rows and 3 columns 3 x 3 tiles of 4 cycles."""
    machine = replace(MACHINE, memory=replace(MEMORY, double_buffered=double_buffered))

    def phases(schedule: str, weight_update: str, *, charged: bool) -> Mapping[Phase, Counts]:
        options = {"weight_update": weight_update, "layers": LAYERS[2:], "update_cycles": charged}
        return on(machine, schedule, **options).phases(schedule)

    free, charged = (phases("ws_only", "separate", charged=whether) for whether in (False, True))
    assert all(charged[phase] == free[phase] for phase in free if phase != Phase("update"))
    update = charged[Phase("update")]
    assert (update[CYCLES], update[STALLS]) == (36, 160 - 36 * double_buffered)
    assert {**update, CYCLES: 0, STALLS: 160} == free[Phase("update")]
    assert phases("interleaved", "in_array", charged=True) == phases("interleaved", "in_array", charged=False)


def test_without_a_memory_an_update_takes_its_own_cycles() -> None:
    cost = step_cost(LAYERS[2:], Emulation(ARRAY, weight_update="separate"), ["os_only"], update_cycles=True)
    assert cost.phases("os_only")[Phase("update")][CYCLES] == 36


def test_in_array_waits_for_what_it_moves() -> None:
    """Writing w in two bytes for dW in four, DRAM has less to do, and the array waits for no more than that."""
    slow = replace(MACHINE, memory=Memory(2**14, 0.25))
    none, in_array = (
        on(slow, "interleaved", weight_update=how, layers=LAYERS[2:]).phases("interleaved")[Phase("dx+dw")]
        for how in ("none", "in_array")
    )
    moved = hierarchy.transfer_cycles(in_array, slow)
    assert moved < hierarchy.transfer_cycles(none, slow)
    assert in_array[CYCLES] + in_array[STALLS] == max(moved, in_array[CYCLES])


def test_vector_work_is_grouped_by_kind_and_phase() -> None:
    cost = on(MACHINE, "auto", vector_work=WORK)
    operations = {(work.kind, work.phase): work.counts[KEY["vector_operations"]] for work in cost.vector}
    assert operations == {
        ("activation", "forward"): 42,
        ("normalisation", "backward"): 100,
        ("update", "update"): 7,
    }
    words = {work.kind: work.counts[KEY["dram_vector_words"]] for work in cost.vector}
    assert words == {"activation": 42, "normalisation": 80, "update": 21}
    assert all(work.counts[MACS] == 0 for work in cost.vector)


def test_without_a_vector_unit_its_work_is_left_out() -> None:
    assert on(replace(MACHINE, vector_unit=None), "auto", vector_work=WORK).vector == ()


def test_frozen_layers_have_no_gradients_and_no_update() -> None:
    frozen = (LayerGemm("frozen", Gemm(4, 5, 6), times=2, needs_dx=False, needs_dw=False),)
    cost = on(MACHINE, "interleaved", layers=frozen, weight_update="separate")
    assert set(cost.phases("interleaved")) == {Phase("forward")}
    assert cost.total("interleaved")[MACS] == 0
    only_dx = (replace(frozen[0], needs_dx=True),)
    assert set(on(MACHINE, "interleaved", layers=only_dx, weight_update="separate").phases("interleaved")) == {
        Phase("forward"),
        Phase("dx"),
    }


def test_patches_on_chip_take_less_dram_than_in_dram() -> None:
    """A convolution's feature map of 60 words stands for 180 of patches."""
    conv = (LayerGemm("conv", Gemm(20, 9, 8), times=1, needs_dx=True, x_words=60),)
    on_chip, in_dram = (
        on(Machine(ARRAY, Memory(2**14, 4.0, im2col=place)), "ws_only", layers=conv).step("ws_only")
        for place in ("on_chip", "dram")
    )
    # the forward pass and dW read X, dX is written
    assert (on_chip[KEY["dram_x_reads"]], on_chip[KEY["dram_dx_writes"]]) == (120, 60)
    assert (in_dram[KEY["dram_x_reads"]], in_dram[KEY["dram_dx_writes"]]) == (360, 180)
    assert on_chip[MACS] == in_dram[MACS]


def test_orders_by_schedule() -> None:
    emulation = Emulation(ARRAY)
    orders = {"sequential": "dw_major", "ws_only": "alternating"}
    cost = step_cost(LAYERS, emulation, ["sequential", "ws_only", "interleaved"], machine=MACHINE, order=orders)
    chosen = {name: {plan.order for plan in _plans(cost.layers[2].plans[name])} for name in cost.schedules}
    assert chosen["sequential"] == {"dw_major"}
    assert chosen["ws_only"] == {"alternating"}
    assert chosen["interleaved"] < {"dx_major", "dw_major", "k_major"}


def _plans(partitions: Any) -> list[Any]:
    return [share.plan for partition in partitions for share in partition.shares]


@pytest.mark.parametrize(("order", "field"), [("zigzag", "order"), ("alternating", "order")])
def test_orders_that_will_not_do(order: str, field: str) -> None:
    assert_refused(Refusal(lambda: on(MACHINE, "interleaved", order), field, repr(order), "dx_major"))


def test_another_objective_for_plans() -> None:
    assert_refused(Refusal(lambda: on(MACHINE, "auto", plan_for="energy"), "objective", "'energy'", "cycles, dram"))


@pytest.mark.parametrize("plan_for", ["cycles", "dram"])
def test_plans_are_chosen_by_what_is_asked_for(plan_for: str) -> None:
    tight = Machine(ARRAY, Memory(700, 0.5))
    costs = {name: on(tight, "interleaved", plan_for=name) for name in ("cycles", "dram")}

    def spent(cost: StepCost) -> int:
        counts = cost.total("interleaved")
        return time_cycles(counts) if plan_for == "cycles" else dram_bytes(counts, tight.precision)

    assert spent(costs[plan_for]) == min(map(spent, costs.values()))


def test_very_large_layers_are_exact() -> None:
    """2^48 MACs on one PE, at rates whose ratio has large terms: nothing wraps around, as it would in 64 bits."""
    side = 2**16
    layers = (LayerGemm("large", Gemm(side, side, side), times=1, needs_dx=True),)
    machine = Machine(Accelerator(1, 1), Memory(64, 7.001, 9.999))
    spent = on(machine, "ws_only", "separate", layers=layers).total("ws_only")
    assert spent[MACS] == 2 * side**3
    (plan,) = Planner(machine, Shapes.of([(side, side, side, side**2)])).backward("ws_only", "separate")
    assert isinstance(plan, Plan)
    assert time_cycles(spent) == plan.cycles > 2 * side**3


@pytest.mark.parametrize("machine", [Machine(ARRAY), MACHINE])
@pytest.mark.parametrize("update", ["separate", "in_array"])
def test_products_of_activations_have_no_update(machine: Machine, update: str) -> None:
    """As attention's have: the counts are those without an update."""
    layer = LayerGemm("attention", Gemm(8, 6, 5), 3, needs_dx=True)
    costs = {}
    for weights, how in ((True, "none"), (True, update), (False, update)):
        emulation = Emulation(ARRAY, weight_update=how)
        own = replace(layer, weights=weights)
        cost = step_cost([own], emulation, ["interleaved", "ws_only"], machine=machine, order="best")
        costs[weights, how] = [dict(cost.step(name)) for name in ("interleaved", "ws_only")]
    assert costs[False, update] == costs[True, "none"] != costs[True, update]


# With a level between scratchpad and DRAM.

WIDE = (LayerGemm("wide", Gemm(60, 50, 90), 2, needs_dx=True), LayerGemm("head", Gemm(30, 90, 40), 1, needs_dx=True))
BUFFERED = replace(MACHINE, memory=replace(MEMORY, sram_bytes=2**10, levels=(Level("buffer", 2**14, 16.0),)))


@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_a_level_s_counts_energy_and_stalls_add_up(schedule: str) -> None:
    cost = on(BUFFERED, schedule, "best", layers=WIDE, vector_work=WORK, weight_update="separate")
    names = {key.name for key in cost.total(schedule)}
    assert {"buffer_x_reads", "buffer_dw_write_backs", "buffer_psum_fills", "buffer_stall_cycles"} < names
    step, phases = cost.step(schedule), cost.energy_pj(schedule)
    # What comes into the buffer comes from DRAM; what passes it by is the update's and the vector unit's.
    assert step[Key("buffer", "x", "fills")] > 0
    assert step[Key(DRAM, "x", READS)] >= step[Key("buffer", "x", "fills")]
    update = cost.phases(schedule)[Phase("update")]
    assert update[Key(DRAM, "dw", READS)] > 0
    assert not any(count for key, count in update.items() if key.level == "buffer")
    for counts in cost.phases(schedule).values():
        stalls = [counts.get(stalls_of(name), 0) for name in ("buffer", "dram")]
        assert max(stalls) <= counts.get(STALLS, 0)
    price = energy.table(BUFFERED)["buffer"]
    moved = {key: count for key, count in step.items() if key.level == "buffer"}
    assert sum(spent["buffer"] for spent in phases.values()) == pytest.approx(
        sum(price[key.tensor] * count for key, count in moved.items())
    )


def test_a_level_brings_fewer_words_of_dram_in_less_time() -> None:
    bare = replace(BUFFERED, memory=replace(MEMORY, sram_bytes=2**10))
    for schedule in TRAINING_SCHEDULES:
        with_level, without = (on(machine, schedule, layers=WIDE).step(schedule) for machine in (BUFFERED, bare))
        assert time_cycles(with_level) < time_cycles(without)
        assert dram_bytes(with_level, MACHINE.precision) < dram_bytes(without, MACHINE.precision)
