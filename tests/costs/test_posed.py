"""jaxgrad.costs.posed: a step whose gradients estimators compute costs what they pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from jaxgrad import Accelerator, Emulation, Gemm
from jaxgrad.array.convolution import Convolution
from jaxgrad.array.counts import CYCLES, DRAM, READS, Key
from jaxgrad.array.schedules import TRAINING_SCHEDULES, find
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.estimators import EXACT, Estimator, describe, rad, rounded
from jaxgrad.autodiff.estimators.asked import contraction_of
from jaxgrad.costs import StepCost, step_cost, time_cycles
from jaxgrad.costs.posed import posed
from jaxgrad.hardware import Machine, Memory, Precision
from jaxgrad.programs import LayerGemm
from tests.autodiff.estimators.own import Columns, First, Sketch
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 4)
GEOMETRY = Convolution(2, (5, 5), (3, 3), 4, 6, (2, 2), ((1, 1), (1, 1)), (1, 1), groups=2)
CONV = LayerGemm("conv", GEOMETRY.gemm, 2 * 3, needs_dx=True, x_words=100, convolution=GEOMETRY)
DENSE = LayerGemm("dense", Gemm(5, 9, 7), 2, needs_dx=True, recomputed=1)
SMALL = Machine(ARRAY, memory=Memory(2048, 8.0))


@pytest.mark.parametrize("update", ["none", "separate", "in_array"])
@pytest.mark.parametrize("estimator", [Columns(3), First(6), Sketch(2), rounded(Precision.of("bf16"))])
def test_from_the_scratchpad_it_is_what_the_description_counts(estimator: Estimator, update: str) -> None:
    for schedule in ("interleaved",) if update == "in_array" else TRAINING_SCHEDULES:
        emulation = Emulation(ARRAY, schedule, weight_update=update)
        (layer,) = step_cost([DENSE], emulation, [schedule], estimator=estimator).layers
        told = describe(estimator, contraction_of(DENSE)).count(emulation)
        assert layer.forward == told.forward.times(2 + 1).counts()
        assert layer.backward[schedule] == told.backward.times(2).counts()


def test_phases() -> None:
    """Of a dense layer whose dW is of a sketch of x: the sketch, and what makes dW of that of the sketch."""
    cost = step_cost([DENSE], Emulation(ARRAY, weight_update="separate"), ["ws_only"], estimator=Sketch(2))
    assert set(cost.layers[0].phases["ws_only"]) == {"forward", "dx", "dw", "backward", "update"}
    asked = posed(DENSE, Machine(ARRAY), Sketch(2))
    assert [(problem[:3], repeats) for problem, repeats in asked.forward] == [((5, 9, 7), 3), ((5, 9, 2), 3)]
    assert [(problem[:3], repeats) for problem, repeats in asked.products] == [((9, 2, 7), 2)]
    assert [(problem.dx, problem.dw) for problem, _ in asked.gradients] == [(True, False), (False, True)]


def test_a_convolution_poses_what_its_geometry_says() -> None:
    """Of four channels one is kept: both gradients of nine columns of X, dX of the 27 others."""
    contraction = contraction_of(CONV)
    assert isinstance(contraction, ConvGeneralDilated)
    assert (contraction.gemm, contraction.groups, contraction.x_words) == (CONV.gemm, 2, CONV.x_words)
    ungrouped = replace(GEOMETRY, groups=1)
    record = LayerGemm("conv", ungrouped.gemm, 3, needs_dx=True, x_words=200, convolution=ungrouped)
    assert [(problem.k, problem.dw) for problem, _ in posed(record, Machine(ARRAY), Columns(1)).gradients] == [
        (9, True),
        (27, False),
    ]
    emulation = Emulation(ARRAY, "interleaved")
    (layer,) = step_cost([record], emulation, ["interleaved"], estimator=Columns(1)).layers
    told = describe(Columns(1), contraction_of(record)).count(emulation)
    assert layer.backward["interleaved"] == told.backward.times(3).counts()


def test_estimators_are_by_path() -> None:
    def by_path(path: str) -> Estimator:
        return First(3) if path == "dense" else EXACT

    cost = step_cost([CONV, DENSE], Emulation(ARRAY), estimator=by_path)
    apart = [step_cost([CONV], Emulation(ARRAY)), step_cost([DENSE], Emulation(ARRAY), estimator=First(3))]
    assert cost.layers == tuple(layer for one in apart for layer in one.layers)


def through_memory(
    *records: LayerGemm, schedules: tuple[str, ...], estimator: Estimator | Callable[[str], Estimator] = EXACT
) -> StepCost:
    return step_cost(records, Emulation(ARRAY), schedules, machine=SMALL, estimator=estimator)


def test_one_that_runs_as_the_exact_one_does_costs_as_much_through_a_memory() -> None:
    exact, same = (
        through_memory(CONV, DENSE, schedules=("interleaved", "ws_only", "auto"), estimator=estimator)
        for estimator in (EXACT, rounded(Precision.of("bf16")))
    )
    assert [layer.phases for layer in same.layers] == [layer.phases for layer in exact.layers]


def test_some_columns_are_planned_as_two_parts_through_a_memory() -> None:
    """Both gradients of the first four of nine columns and dX of five; or all of dX, and dW of four."""
    wide = LayerGemm("dense", Gemm(40, 9, 30), 1, needs_dx=True)
    cost = through_memory(wide, schedules=("interleaved", "ws_only", "auto"), estimator=First(4))

    def parts(schedule: str, *asked: tuple[int, bool, bool]) -> int:
        records = [LayerGemm(f"{k}", Gemm(40, k, 30), 1, needs_dx=dx, needs_dw=dw) for k, dx, dw in asked]
        return time_cycles(through_memory(*records, schedules=(schedule,)).total(schedule))

    fused = parts("interleaved", (4, True, True), (5, True, False))
    apart = parts("ws_only", (9, True, False), (4, False, True))
    assert time_cycles(cost.total("interleaved")) == fused
    assert time_cycles(cost.total("ws_only")) == apart
    members = through_memory(wide, schedules=tuple(m.name for m in find("auto").members), estimator=First(4))
    assert time_cycles(cost.total("auto")) == min(time_cycles(members.total(name)) for name in members.schedules)
    exact = through_memory(wide, schedules=("interleaved",))
    dram_x = Key(DRAM, "x", READS)
    assert cost.total("interleaved")[dram_x] < exact.total("interleaved")[dram_x]
    assert cost.total("interleaved")[CYCLES] < exact.total("interleaved")[CYCLES]
    assert len(cost.layers[0].plans["interleaved"]) == 2


def test_refuses_products_without_weights_where_the_estimator_is_of_weights() -> None:
    scores = LayerGemm("attention", Gemm(5, 9, 7), 3, needs_dx=True, weights=False)
    assert_refused(
        Refusal(
            lambda: step_cost([scores], Emulation(ARRAY), estimator=rad(0.5, "same")),
            "estimator",
            "Rad(keep=0.5, mode='same') for attention",
            "by path",
        )
    )
    assert step_cost([scores], Emulation(ARRAY), estimator=lambda path: EXACT).layers[0].path == "attention"


def test_refuses_to_guess_what_is_posed_for_a_convolution_without_a_geometry() -> None:
    bare = LayerGemm("conv", Gemm(18, 12, 2), 3, needs_dx=False, x_words=24)
    assert_refused(
        Refusal(
            lambda: step_cost([bare], Emulation(ARRAY), estimator=Columns(2)),
            "estimator",
            "Columns(keep=2) for conv",
            "describe",
        )
    )
