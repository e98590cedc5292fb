"""Interleaving of networks, over weight-stationary passes: how much the better axis of the two gains, layer by layer.

A quick model, independent of this package, gave these figures: 128x128 double-buffered PEs, batch 8, all in the
scratchpad, backward pass. Its ``ws_only`` has one orientation of dX, W in the PEs, and its interleaving along n has the
weight-stationary product first, which takes a cycle more than ``interleaved_n``: so the two axes often tie in cycles,
and the fewer accesses decide.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import jaxgrad_models
from jaxgrad import Accelerator, Emulation
from jaxgrad.array.mapping import Mapping, Product
from jaxgrad.array.schedules import DW_WS, DX_WS, Schedule
from jaxgrad.costs import StepCost, accesses, step_cost, time_cycles
from jaxgrad.flax import step_gemms

WS = Schedule("W stays for dX", [DX_WS[0], DW_WS])
ALONG_N = Schedule("along n", [Mapping((Product("ws", "dw"), Product("os", "dx")), "nbk")])
SHORTER = Schedule("without k", among=["interleaved", "interleaved_n", "sequential", "ws_only", "os_only", "free"])
BETTER = Schedule("better", among=["interleaved", ALONG_N, "sequential", "ws_only", "os_only", "free"])
# network -> cycles and accesses over WS: interleaved along b, and the best for each layer.
FIGURES = {
    "mobilenet-v1": ((0.97, 0.81), (0.52, 0.82)),
    "vgg16": ((0.96, 0.66), (0.85, 0.75)),
    "resnet50": ((0.99, 0.64), (0.87, 0.70)),
    "inception-v4": ((1.05, 0.65), (0.84, 0.89)),
    "densenet264": ((0.99, 0.68), (0.69, 0.84)),
}
DEEP = ("inception-v4", "densenet264")  # to trace them takes a while


def ratios(cost: StepCost, schedule: str, over: str) -> tuple[float, float]:
    ours, theirs = cost.total(schedule), cost.total(over)
    return time_cycles(ours) / time_cycles(theirs), accesses(ours) / accesses(theirs)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in DEEP else n for n in FIGURES])
def test_the_better_axis_of_each_layer(name: str) -> None:
    images = jax.ShapeDtypeStruct((8, *jaxgrad_models.INPUT_SHAPES[name]), jnp.float32)
    gemms = step_gemms(jaxgrad_models.abstract(name), images)
    compared = ["interleaved", "interleaved_n", "ws_only", WS, BETTER, SHORTER, "best"]
    cost = step_cost(gemms, Emulation(Accelerator(128, 128, double_buffered=True)), compared)
    along_b, better = FIGURES[name]
    assert ratios(cost, "interleaved", WS.name) == pytest.approx(along_b, abs=0.02)
    assert ratios(cost, BETTER.name, WS.name) == pytest.approx(better, abs=0.02)
    # With both orientations the baseline is as fast or faster, and the shorter interleaving along n is worth no more
    # than its cycle a layer.
    assert time_cycles(cost.total("ws_only")) <= time_cycles(cost.total(WS.name))
    assert 0.98 < ratios(cost, SHORTER.name, BETTER.name)[0] <= 1
    assert time_cycles(cost.total("best")) <= time_cycles(cost.total(SHORTER.name))
