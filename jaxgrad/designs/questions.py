"""What is asked of many designs at once: which schedule, on what kind of machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from jaxgrad.array.counts import Key
from jaxgrad.array.forwards import Forward
from jaxgrad.array.schedules import Schedule
from jaxgrad.designs import plans
from jaxgrad.designs.plans import Plan
from jaxgrad.designs.problems import Group, Problems
from jaxgrad.hardware import Precision

Counts = dict[str, dict[Key, Any]]
"""Counts by phase."""


class Arrays(NamedTuple):
    """Arrays of PEs, as ``Accelerator`` has one: ``rows`` and ``cols`` are as long as there are designs."""

    rows: Any
    cols: Any
    double_buffered: bool


class Question(NamedTuple):
    """What decides the code that is compiled, and is kept: so sweeps give records, not the names they have today.

    Args:
        forward: how the forward pass runs, or None for the gradients.
        schedule, order: of the gradients.
        double_buffered: whether PEs have shadow registers.
        memory_double_buffered: whether transfers overlap with work.
        precision: number formats.
    """

    forward: str | Forward | None
    schedule: str | Schedule
    order: str
    double_buffered: bool
    memory_double_buffered: bool
    precision: Precision

    @property
    def conditions(self) -> tuple[bool, bool, Precision]:
        """Under which a part of a plan has one outcome, whatever the plan."""
        return self.double_buffered, self.memory_double_buffered, self.precision

    def plans(self, dx: bool, dw: bool) -> list[Plan]:
        if self.forward is not None:
            return plans.forward(self.forward)
        return plans.backward(self.schedule, self.order, dx=dx, dw=dw)

    def groups(self, problems: Problems) -> Iterable[Group]:
        """The layers, apart by what they are asked for."""
        return problems.groups() if self.forward is None else [problems.whole]

    def times(self, group: Group) -> Any:
        """How often each layer's products are computed."""
        return group.times if self.forward is None else group.forward_times
