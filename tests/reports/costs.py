"""Costs to draw, from true closed forms of made-up layers."""

from __future__ import annotations

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import StepCost, step_cost
from jaxgrad.hardware import Accelerator
from jaxgrad.programs import LayerGemm

EMULATION = Emulation(Accelerator(4, 4))
SCHEDULES = ("interleaved", "sequential", "ws_only", "os_only")


def cost(layers: int = 3, emulation: Emulation = EMULATION) -> StepCost:
    """A stack of layers, each larger than the one before; the first needs no dX."""
    records = [
        LayerGemm(path=f"blocks.{index}.conv", gemm=Gemm(8, 9 + index, 10), times=1, needs_dx=index > 0)
        for index in range(layers)
    ]
    return step_cost(records, emulation, SCHEDULES)
