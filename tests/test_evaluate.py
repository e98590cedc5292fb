"""Costs of a training step: sums of the closed forms that the core gives, and measured counts in their place."""

from __future__ import annotations

import json

import pytest

from jaxgrad.autodiff import LayerCounters
from jaxgrad.counters import NAMES, Counters
from jaxgrad.emulation import Emulation, count, count_forward
from jaxgrad.evaluate import BASELINES, TRAINING_SCHEDULES, accesses, measured, step_cost
from jaxgrad.gemm import Gemm
from jaxgrad.hardware import Accelerator
from jaxgrad.schedules import SCHEDULES
from jaxgrad.workload import LayerGemm

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
        expected = count(layer.gemm, ARRAY, schedule, objective="accesses", dx=layer.needs_dx).as_dict()
        assert own.backward == {schedule: {name: layer.times * value for name, value in expected.items()}}
        forward = count_forward(layer.gemm, ARRAY, "os").as_dict()
        assert own.forward == {name: layer.times * value for name, value in forward.items()}


def test_totals_are_sums_over_layers() -> None:
    cost = step_cost(LAYERS, Emulation(ARRAY))
    for schedule in TRAINING_SCHEDULES:
        for name in NAMES:
            assert cost.total(schedule)[name] == sum(layer.backward[schedule][name] for layer in cost.layers)
    assert cost.total_forward()["macs"] == 20 * 9 * 8 + 8 * 20 * 9 + 5 * 8 * 10


def test_a_layer_of_several_shapes_is_one_layer() -> None:
    wide, narrow = LayerGemm("shared", Gemm(4, 5, 6), 2, True), LayerGemm("shared", Gemm(3, 5, 6), 1, False)
    cost = step_cost([wide, narrow], Emulation(ARRAY), ["ws_only"])
    assert [layer.path for layer in cost.layers] == ["shared"]
    assert cost.total("ws_only")["macs"] == 2 * 2 * 4 * 5 * 6 + 3 * 5 * 6
    assert cost.layers[0].needs_dx


def test_frozen_weights_and_recomputed_forwards_are_counted_as_they_are() -> None:
    layer = LayerGemm("frozen", Gemm(4, 5, 6), times=1, needs_dx=True, needs_dw=False, recomputed=1)
    cost = step_cost([layer], Emulation(ARRAY), ["interleaved"])
    assert cost.total("interleaved") == count(Gemm(4, 5, 6), ARRAY, dw=False).as_dict()
    assert cost.total_forward()["macs"] == 2 * 4 * 5 * 6


def test_only_the_interleaved_schedule_updates_in_the_array() -> None:
    cost = step_cost(LAYERS[2:], Emulation(ARRAY, weight_update="in_array"), ("interleaved", "sequential"))
    own, other = (cost.total(schedule) for schedule in cost.schedules)
    assert (own["w_writes"], own["dw_writes"], own["dw_reads"]) == (80, 0, 0)
    assert (other["w_writes"], other["dw_writes"], other["dw_reads"]) == (80, 80, 80)


def test_accesses_are_reads_and_writes_alone() -> None:
    counts = {name: 1 if name.endswith(("_reads", "_writes")) else 1000 for name in NAMES}
    assert accesses(counts) == 8 == Counters.of(**counts).accesses()


def test_measured_counts_take_the_place_of_the_schedule_s_own() -> None:
    shapes = step_cost(LAYERS[2:], Emulation(ARRAY), ("interleaved", "ws_only"))
    forward, backward = Counters.of(cycles=11, effectual_macs=5), Counters.of(cycles=2**40, effectual_macs=7)
    cost = measured(shapes, "interleaved", {"head": LayerCounters(forward, backward)}, steps=10)
    assert cost.steps == 10
    assert cost.layers[0].forward == forward.as_dict()
    assert cost.layers[0].backward["interleaved"] == backward.as_dict()
    expected = {name: 10 * value for name, value in shapes.total("ws_only").items()} | {"effectual_macs": 7}
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
    assert data["total"]["backward"]["auto"] == dict(cost.total("auto"))
