"""What runs for a layer: of a choice among mappings or schedules, the cheapest in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxgrad.array import layers
from jaxgrad.array.counts import ACCESSES, CYCLES
from jaxgrad.array.mapping import Mapping, Sized
from jaxgrad.array.schedules import ARRAY_OBJECTIVES, PRICED, Schedule, find
from jaxgrad.base.errors import InputError, either
from jaxgrad.hardware import Accelerator


class Cost(NamedTuple):
    """What schedules are chosen by."""

    cycles: int
    accesses: int


def cost(mappings: Sequence[Mapping], gemm: Sized, array: Accelerator, columns: int | None = None) -> Cost:
    """Cycles and SRAM accesses (words) of some mappings, one after the other, in closed form; see ``choose``."""
    counts = layers.counts(mappings, gemm.sizes, array, columns)
    return Cost(counts.get(CYCLES, 0), sum(counts.get(key, 0) for key in ACCESSES))


class Chosen(NamedTuple):
    """What runs for a layer: the schedule, which is one of those that a choice is among, and its mappings in order."""

    schedule: Schedule
    mappings: tuple[Mapping, ...]


def choose(
    schedule: str | Schedule,
    gemm: Sized,
    array: Accelerator,
    *,
    objective: str = "cycles",
    dx: bool = True,
    dw: bool = True,
    columns: int | None = None,
) -> Chosen:
    """What runs on the array for one layer's gradients.

    Args:
        schedule: a ``Schedule``, or the name of a registered one.
        gemm: the layer's GEMM.
        array: the hardware, which decides the better orientation of a single-dataflow baseline.
        objective: what a choice among schedules minimises, ``cycles`` or ``accesses``; the other one breaks a tie.
        dx, dw: which gradients are wanted, of those that the schedule gives.
        columns: of how many columns of x, the first ones, dW is wanted; of all by default.

    Raises:
        InputError: the schedule is a choice by energy, of which the array alone knows nothing.

    >>> from jaxgrad import Accelerator, Gemm
    >>> choose("auto", Gemm(8, 16, 2), Accelerator(2, 1)).schedule.name
    'ws_only'
    """
    plans = [
        Chosen(
            member,
            tuple(
                min(choice, key=lambda mapping: cost([mapping], gemm, array, columns))
                for choice in member.alternatives(dx=dx, dw=dw)
            ),
        )
        for member in find(schedule).members
    ]
    if len(plans) == 1:
        return plans[0]
    if objective in PRICED:
        remedy = (
            f"on the array alone choose {either(map(repr, ARRAY_OBJECTIVES))}; energy is known where a machine has a "
            "memory and prices: in compare, profile, run and costs.step_cost"
        )
        raise InputError("objective", objective, remedy)
    return min(plans, key=lambda plan: _key(cost(plan.mappings, gemm, array, columns), objective))


def backward_mappings(
    schedule: str | Schedule,
    gemm: Sized,
    array: Accelerator,
    *,
    objective: str = "cycles",
    dx: bool = True,
    dw: bool = True,
    columns: int | None = None,
) -> tuple[Mapping, ...]:
    """The mappings that run for one layer's gradients, in order; see ``choose``."""
    return choose(schedule, gemm, array, objective=objective, dx=dx, dw=dw, columns=columns).mappings


def _key(cost: Cost, objective: str) -> tuple[int, int]:
    return (cost.cycles, cost.accesses) if objective == "cycles" else (cost.accesses, cost.cycles)
