"""What a training step costs, by layer, schedule and phase."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from jaxgrad.array.counters import ACCESSES, NAMES
from jaxgrad.base.errors import InputError
from jaxgrad.costs import energy
from jaxgrad.costs.cores import Partition
from jaxgrad.hardware import Machine
from jaxgrad.programs import LayerGemm

Counts = Mapping[str, int]
"""By the names of ``counters.NAMES``; with a memory also ``hierarchy.DRAM_NAMES`` and ``stall_cycles``."""


@dataclass(frozen=True)
class LayerCost:
    """One layer's counts under each schedule.

    Args:
        path: the layer's place in the model.
        gemms: what it asks of the array in one step; more than one if it is called on different shapes.
        phases: by schedule, then by phase: ``forward``; ``dx`` and ``dw``, or ``dx+dw`` where one pass computes both;
            ``update``. Measured counts tell ``forward`` and ``backward`` apart and no more.
        plans: by schedule, how the gradients of each of ``gemms`` are computed where there is a memory.
        ran: by schedule, the names of those that ran for its gradients, each once: of ``auto`` what it chose, of any
            other schedule itself. More than one where shapes, or the cores' shares, differ.
    """

    path: str
    gemms: tuple[LayerGemm, ...]
    phases: Mapping[str, Mapping[str, Counts]]
    plans: Mapping[str, tuple[Partition, ...]] = field(default_factory=dict)
    ran: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def needs_dx(self) -> bool:
        """Whether it passes a gradient on; the layer at the network's input does not."""
        return any(gemm.needs_dx for gemm in self.gemms)

    @cached_property
    def forward(self) -> Counts:
        """What its forward pass takes: the same under every schedule of the gradients."""
        return next(iter(self.phases.values()))["forward"]

    @cached_property
    def backward(self) -> Mapping[str, Counts]:
        """What its gradients and the update of its weights take, by schedule."""
        return {
            schedule: add(counts for phase, counts in phases.items() if phase != "forward")
            for schedule, phases in self.phases.items()
        }


@dataclass(frozen=True)
class VectorCost:
    """Work beside the array, of one kind in one phase: the same under every schedule."""

    kind: str
    phase: str
    counts: Counts


@dataclass(frozen=True)
class StepCost:
    """A model's counts, layer by layer, over ``steps`` training steps.

    Args:
        layers: in the order in which the model calls them.
        schedules: those compared; every layer has each.
        steps: training steps that the counts are the sum of.
        vector: work beside the array; empty where the machine has no vector unit.
        machine: what it was costed on; None where nothing but the array is known.
    """

    layers: tuple[LayerCost, ...]
    schedules: tuple[str, ...]
    steps: int = 1
    vector: tuple[VectorCost, ...] = ()
    machine: Machine | None = None

    def total(self, schedule: str) -> dict[str, int]:
        """The backward counts of all layers under ``schedule``; the array's, without the vector unit's."""
        return add(layer.backward[schedule] for layer in self.layers)

    def total_forward(self) -> dict[str, int]:
        return add(layer.forward for layer in self.layers)

    def phases(self, schedule: str) -> dict[str, Counts]:
        """The counts of all layers by phase; the vector unit's under ``vector <phase>``."""
        return {phase: add(parts) for phase, parts in _grouped(self._parts(schedule)).items()}

    def step(self, schedule: str) -> dict[str, int]:
        """Everything that the step takes: forward, gradients, update and vector unit."""
        return add(counts for _, counts in self._parts(schedule))

    def energy_pj(self, schedule: str) -> dict[str, dict[str, float]]:
        """Energy by phase and component, in pJ.

        Raises:
            ValueError: the machine has no technology.
        """
        machine = self.machine
        prices = energy.table(machine) if machine else {}
        if machine is None:
            raise InputError("machine", None, "energy needs one with a memory and a technology", problem="got none")
        return {
            phase: energy.energy_pj(counts, prices, zero_gating=machine.zero_gating)
            for phase, counts in self.phases(schedule).items()
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "steps": self.steps,
            "layers": {
                layer.path: {
                    "gemms_per_step": [{**asdict(gemm.gemm), **_demand(gemm)} for gemm in layer.gemms],
                    "forward": dict(layer.forward),
                    "backward": {schedule: dict(counts) for schedule, counts in layer.backward.items()},
                    "ran": {schedule: list(names) for schedule, names in layer.ran.items()},
                }
                for layer in self.layers
            },
            "total": {
                "forward": dict(self.total_forward()),
                "backward": {schedule: dict(self.total(schedule)) for schedule in self.schedules},
            },
        }

    def _parts(self, schedule: str) -> Iterator[tuple[str, Counts]]:
        for layer in self.layers:
            yield from layer.phases[schedule].items()
        for work in self.vector:
            yield f"vector {work.phase}", work.counts


def accesses(counts: Counts) -> int:
    """SRAM accesses in words: all reads and writes."""
    return sum(counts[name] for name in ACCESSES)


def dram_accesses(counts: Counts) -> int:
    """DRAM accesses in words: all reads and writes."""
    return sum(value for name, value in counts.items() if name.startswith("dram_"))


def time_cycles(counts: Counts) -> int:
    """Clock cycles at work and waiting for DRAM."""
    return counts["cycles"] + counts.get("stall_cycles", 0)


def add(parts: Iterable[Counts]) -> dict[str, int]:
    """The sum of some counts; a name that none has is one of ``counters.NAMES`` and 0."""
    total = dict.fromkeys(NAMES, 0)
    for counts in parts:
        for name, value in counts.items():
            total[name] = total.get(name, 0) + value
    return total


def times(counts: Counts, repeats: int) -> dict[str, int]:
    """The counts of so many equal runs."""
    return {name: value * repeats for name, value in counts.items()}


def _grouped(parts: Iterable[tuple[str, Counts]]) -> dict[str, list[Counts]]:
    groups: dict[str, list[Counts]] = {}
    for phase, counts in parts:
        groups.setdefault(phase, []).append(counts)
    return groups


def _demand(gemm: LayerGemm) -> dict[str, Any]:
    return {"times": gemm.times, "needs_dx": gemm.needs_dx, "needs_dw": gemm.needs_dw, "recomputed": gemm.recomputed}
