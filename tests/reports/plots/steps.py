"""Training steps to draw, costed by the true model on made-up layers."""

from __future__ import annotations

import functools

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import Summary, step_cost, summary
from jaxgrad.hardware import Accelerator, Machine, Memory, Precision, VectorUnit, load_technology
from jaxgrad.programs import LayerGemm, VectorWork

ARRAY = Accelerator(4, 4, double_buffered=True)
SCHEDULES = ("interleaved", "sequential", "ws_only", "os_only")
FULL = Machine(ARRAY, Memory(4096, 4.0), Precision.of("bf16"), load_technology("horowitz-45nm"), VectorUnit(4))
BARE = Machine(ARRAY)


@functools.cache
def summaries(layers: int = 3, machine: Machine = FULL) -> dict[str, Summary]:
    """A stack of layers, each larger than the one before, under each of ``SCHEDULES``."""
    gemms = [
        LayerGemm(path=f"blocks.{index}.conv", gemm=Gemm(8 + index, 9 + index, 10), times=1, needs_dx=index > 0)
        for index in range(layers)
    ]
    work = [VectorWork("activation", "forward", 900, 400, 400), VectorWork("update", "update", 300, 200, 100)]
    cost = step_cost(gemms, Emulation(ARRAY), SCHEDULES, machine=machine, vector_work=work)
    return {schedule: summary(cost, schedule) for schedule in SCHEDULES}
