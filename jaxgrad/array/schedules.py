"""Schedules: names -> what runs on the array, in which order (DESIGN.md sections 2 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxgrad.array import closed_form
from jaxgrad.array.counters import ACCESSES
from jaxgrad.array.mapping import Mapping, Product, Sized, named
from jaxgrad.hardware import Accelerator

SCHEDULES: tuple[str, ...] = ("ws", "os", "sequential", "interleaved", "ws_only", "os_only", "auto")
FORWARDS: tuple[str, ...] = ("ws", "os", "is")
WEIGHT_UPDATES: tuple[str, ...] = ("none", "separate", "in_array")
OBJECTIVES: tuple[str, ...] = ("cycles", "accesses")
AUTO: tuple[str, ...] = ("interleaved", "sequential", "ws_only", "os_only")

DX_WS = Mapping((Product("ws", "dx"),), "bnk")
DW_OS = Mapping((Product("os", "dw"),), "bnk")
# Either operand of dW can be the stationary one, and either side of dX can lie along the rows.
DW_WS = (Mapping((Product("ws", "dw"),), "kbn"), Mapping((Product("ws", "dw"),), "nbk"))
DX_OS = (Mapping((Product("os", "dx"),), "nbk"), Mapping((Product("os", "dx"),), "nkb"))
BOTH = (Product("ws", "dx"), Product("os", "dw"))
INTERLEAVED = Mapping(BOTH, "bnk")
SEQUENTIAL = Mapping(BOTH, "bnk", "in turn")

FORWARD: dict[str, Mapping] = {
    "ws": Mapping((Product("ws", "y"),), "bkn"),
    "os": Mapping((Product("os", "y"),), "kbn"),
    "is": Mapping((Product("ws", "y"),), "nkb"),
}


class Cost(NamedTuple):
    """What schedules are chosen by."""

    cycles: int
    accesses: int


def cost(mappings: Sequence[Mapping], gemm: Sized, array: Accelerator) -> Cost:
    """Cycles and SRAM accesses (words) of some mappings, one after the other, in closed form."""
    cycles = accesses = 0
    for mapping in mappings:
        counts = named(closed_form.events(mapping.keeps, mapping.order, *mapping.sizes(gemm), array), mapping)
        cycles += sum(counts["cycles"])
        accesses += sum(sum(counts.get(name, [])) for name in ACCESSES)
    return Cost(cycles, accesses)


def backward_mappings(
    schedule: str, gemm: Sized, array: Accelerator, *, objective: str = "cycles", dx: bool = True, dw: bool = True
) -> tuple[Mapping, ...]:
    """What runs on the array for one layer's gradients, in order.

    Args:
        schedule: one of ``SCHEDULES``; ``ws`` computes dX alone, ``os`` dW alone.
        gemm: the layer's GEMM.
        array: the hardware, which decides the better orientation of a single-dataflow baseline.
        objective: what ``auto`` minimises; the other one breaks a tie.
        dx, dw: which gradients are wanted. A layer that needs one of them runs that one's natural pass alone.
    """
    if schedule == "auto":
        plans = [backward_mappings(name, gemm, array, dx=dx, dw=dw) for name in AUTO]
        return min(plans, key=lambda plan: _key(cost(plan, gemm, array), objective))

    return tuple(
        min(choice, key=lambda mapping: cost([mapping], gemm, array)) for choice in alternatives(schedule, dx=dx, dw=dw)
    )


def alternatives(schedule: str, *, dx: bool = True, dw: bool = True) -> tuple[tuple[Mapping, ...], ...]:
    """What a schedule (not ``auto``) runs, in order: of each choice of orientations the better one."""
    if dx and dw and schedule in ("interleaved", "sequential"):
        return ((INTERLEAVED if schedule == "interleaved" else SEQUENTIAL,),)
    choices: tuple[tuple[Mapping, ...], ...] = ()
    if dx and schedule != "os":
        choices += (DX_OS if schedule == "os_only" else (DX_WS,),)
    if dw and schedule != "ws":
        choices += (DW_WS if schedule == "ws_only" else (DW_OS,),)
    return choices


def _key(cost: Cost, objective: str) -> tuple[int, int]:
    return (cost.cycles, cost.accesses) if objective == "cycles" else (cost.accesses, cost.cycles)
