"""What a sweep chooses among for each layer: the same loops, holdings and orders as ``costs.hierarchy``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxgrad.array import forwards
from jaxgrad.array.forwards import Forward
from jaxgrad.array.layers import phase_of
from jaxgrad.array.mapping import Result
from jaxgrad.array.schedules import Choice, Schedule, find
from jaxgrad.costs.hierarchy import can_run, gradients
from jaxgrad.costs.orders import CHOICES, FUSED, SINGLE, Nests, families

ORDERS: tuple[str, ...] = (*SINGLE, *CHOICES)
"""Orders that sweeps know: all but ``rule``, which asks each layer for its shape."""


@dataclass(frozen=True)
class Part:
    """One search: what is computed, by which nests, and what the array can do with a block.

    Args:
        results: ``("y",)``, ``("dx",)``, ``("dw",)`` or ``("dx", "dw")``.
        nests: to choose from.
        choices: mappings, see ``Alternatives``.
        orders: of each nest the place of its order among those of the part; of equally good ones the first is taken.
    """

    results: tuple[Result, ...]
    nests: tuple[Nests, ...]
    choices: tuple[Choice, ...]
    orders: tuple[int, ...]

    @property
    def alternates(self) -> bool:
        """Whether block operations of two nests take turns."""
        return len(self.nests[0]) > 1

    @property
    def phase(self) -> str:
        return phase_of(self.results)


Plan = tuple[Part, ...]
"""Searches whose runs follow each other."""


def forward(how: str | Forward) -> list[Plan]:
    return [(_part(("y",), ("separate",), ((forwards.find(how).mapping,),)),)]


def backward(schedule: str | Schedule, order: str, *, dx: bool, dw: bool) -> list[Plan]:
    """The plans among which the best is taken for a layer's gradients.

    Args:
        schedule: a ``Schedule``, or the name of a registered one.
        order: one of ``ORDERS``; an interleaved pass, which knows no ``separate``, takes the best of its own.
        dx, dw: which gradients are wanted.
    """
    return [
        plan
        for member in find(schedule).members
        for plan in _gradients(member, order if can_run(member, order) else "best", dx=dx, dw=dw)
    ]


def _gradients(schedule: Schedule, order: str, *, dx: bool, dw: bool) -> list[Plan]:
    """Those of a schedule that is no choice among others."""
    choices = schedule.alternatives(dx=dx, dw=dw)
    results = gradients(choices)
    if len(results) < 2:
        return [(_part(results, ("separate",), choices),)] if results else []
    orders = [name for name in CHOICES.get(order, (order,)) if can_run(schedule, name)]
    dx_alone, dw_alone = schedule.alternatives(dw=False), schedule.alternatives(dx=False)
    plans: list[Plan] = []
    if "separate" in orders:
        plans.append((_part(("dx",), ("separate",), dx_alone), _part(("dw",), ("separate",), dw_alone)))
    if "alternating" in orders:
        plans.append((_part(results, ("alternating",), dx_alone + dw_alone),))
    fused = [name for name in orders if name in FUSED]
    if fused:
        plans.append((_part(results, fused, choices),))
    return plans


def _part(results: tuple[Result, ...], orders: Sequence[str], choices: tuple[Choice, ...]) -> Part:
    nests = [(place, nests) for place, order in enumerate(orders) for nests in families(results, order)]
    places, choice_of_nests = zip(*nests, strict=True)
    return Part(results, choice_of_nests, choices, places)
