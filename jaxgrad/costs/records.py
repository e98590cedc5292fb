"""What a training step costs, by layer, schedule and phase."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from jaxgrad.array.counts import ACCESSES, ARRAY, CYCLES, DRAM, KEYS, STALLS, VECTOR, Key, by_column, by_name
from jaxgrad.array.schedules import known
from jaxgrad.autodiff.estimators import StoredWords
from jaxgrad.base.errors import InputError
from jaxgrad.base.tabular import Tabular, of_rows
from jaxgrad.costs import energy, memories
from jaxgrad.costs.cores import Partition
from jaxgrad.hardware import Machine
from jaxgrad.programs import LayerGemm

Counts = Mapping[Key, int]
"""All of ``counts.KEYS``; with a memory also ``hierarchy.DRAM_KEYS`` and stalls."""


class Phase(NamedTuple):
    """A part of a training step.

    Args:
        name: ``forward``, ``dx``, ``dw``, ``dx+dw``, ``update`` or ``backward``.
        unit: what does it, ``array`` or ``vector``.
    """

    name: str
    unit: str = ARRAY

    @property
    def label(self) -> str:
        """As tables, JSON and CSV spell it; the array goes without saying."""
        return self.name if self.unit == ARRAY else f"{self.unit} {self.name}"


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
class StepCost(Tabular):
    """A model's counts, layer by layer, over ``steps`` training steps.

    >>> from jaxgrad import Accelerator, Emulation, Gemm, LayerGemm
    >>> from jaxgrad.array.counts import MACS
    >>> from jaxgrad.costs import step_cost
    >>> layer = LayerGemm("dense", Gemm(batch=8, in_features=9, out_features=10), times=1, needs_dx=True)
    >>> cost = step_cost([layer], Emulation(Accelerator(4, 4)), ["interleaved"])
    >>> cost.total_forward()[MACS], cost.step("interleaved")[MACS]
    (720, 2160)

    Args:
        layers: in the order in which the model calls them.
        schedules: those compared; every layer has each.
        steps: training steps that the counts are the sum of.
        vector: work beside the array; empty where the machine has no vector unit.
        machine: what it was costed on; None where nothing but the array is known.
        stored: activation words that one step keeps for its backward pass, the same under every schedule.
    """

    layers: tuple[LayerCost, ...]
    schedules: tuple[str, ...]
    steps: int = 1
    vector: tuple[VectorCost, ...] = ()
    machine: Machine | None = None
    stored: StoredWords = field(default_factory=StoredWords)

    def total(self, schedule: str) -> dict[Key, int]:
        """The backward counts of all layers under ``schedule``; the array's, without the vector unit's."""
        return add(layer.backward[schedule] for layer in self.layers)

    def total_forward(self) -> dict[Key, int]:
        return add(layer.forward for layer in self.layers)

    def phases(self, schedule: str) -> dict[Phase, Counts]:
        """The counts of all layers by phase, and those of the vector unit."""
        return {phase: add(parts) for phase, parts in _grouped(self._parts(schedule)).items()}

    def step(self, schedule: str) -> dict[Key, int]:
        """Everything that the step takes: forward, gradients, update and vector unit."""
        return add(counts for _, counts in self._parts(schedule))

    def energy_pj(self, schedule: str) -> dict[Phase, dict[str, float]]:
        """Energy by phase and component, in pJ.

        Raises:
            ValueError: the machine has no technology.
        """
        machine = self.machine
        prices = energy.table(machine) if machine else {}
        if machine is None:
            raise InputError("machine", None, "energy needs one with a memory and a technology", problem="got none")
        return {
            phase: energy.energy_pj(counts, prices, zero_gating=machine.zero_gating, phase=phase.name)
            for phase, counts in self.phases(schedule).items()
        }

    def memories(self, schedule: str) -> list[dict[str, Any]]:
        """The machine's memories, from the registers outwards, and what each does in the whole step, as plain data.

        See ``memories.MemoryLevel`` and ``memories.Activity``; energies where the machine has prices.

        Raises:
            ValueError: the machine is not known.
        """
        if self.machine is None:
            raise InputError("machine", None, "memories are those of one", problem="got none")
        spent: dict[str, float] = {}
        for components in self.energy_pj(schedule).values() if self._has_prices else ():
            for component, pj in components.items():
                spent[component] = spent.get(component, 0.0) + pj
        return memories.listed(self.machine, schedule, self.step(schedule), spent)

    def columns(self) -> dict[str, list[Any]]:
        """A row for each schedule, layer and phase, and for the work beside the array, whose layer is its kind."""
        rows = [
            {"schedule": schedule, "layer": place, "phase": phase.label, **by_column(counts)}
            for schedule in self.schedules
            for place, phase, counts in self._placed(schedule)
        ]
        return of_rows(rows, missing=0)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON: counts by name, and by schedule the machine's memories, and energies by phase."""
        data: dict[str, Any] = {
            "steps": self.steps,
            "layers": {
                layer.path: {
                    "gemms_per_step": [{**asdict(gemm.gemm), **_demand(gemm)} for gemm in layer.gemms],
                    "forward": by_name(layer.forward),
                    "backward": {schedule: by_name(counts) for schedule, counts in layer.backward.items()},
                    "ran": {schedule: list(names) for schedule, names in layer.ran.items()},
                }
                for layer in self.layers
            },
            "total": {
                "forward": by_name(self.total_forward()),
                "backward": {schedule: by_name(self.total(schedule)) for schedule in self.schedules},
            },
            "stored_activation_words": self.stored.as_dict(),
        }
        if self.machine is not None:
            data["memories"] = {schedule: self.memories(schedule) for schedule in self.schedules if known(schedule)}
        if self._has_prices:
            data["energy_pj"] = {
                schedule: {phase.label: spent for phase, spent in self.energy_pj(schedule).items()}
                for schedule in self.schedules
            }
        return data

    @property
    def _has_prices(self) -> bool:
        return self.machine is not None and bool(self.machine.technology or self.machine.energies)

    def _parts(self, schedule: str) -> Iterator[tuple[Phase, Counts]]:
        for _, phase, counts in self._placed(schedule):
            yield phase, counts

    def _placed(self, schedule: str) -> Iterator[tuple[str, Phase, Counts]]:
        """Each phase of each layer by its path, and each work of the vector unit by its kind."""
        for layer in self.layers:
            for name, counts in layer.phases[schedule].items():
                yield layer.path, Phase(name), counts
        for work in self.vector:
            yield work.kind, Phase(work.phase, VECTOR), work.counts


def accesses(counts: Counts) -> int:
    """SRAM accesses in words: all reads and writes."""
    return sum(counts[key] for key in ACCESSES)


def dram_accesses(counts: Counts) -> int:
    """DRAM accesses in words: all reads and writes."""
    return sum(value for key, value in counts.items() if key.level == DRAM)


def time_cycles(counts: Counts) -> int:
    """Clock cycles at work and waiting for DRAM."""
    return counts[CYCLES] + counts.get(STALLS, 0)


def add(parts: Iterable[Counts]) -> dict[Key, int]:
    """The sum of some counts; of ``counts.KEYS`` what none has is 0."""
    total = dict.fromkeys(KEYS, 0)
    for counts in parts:
        for key, value in counts.items():
            total[key] = total.get(key, 0) + value
    return total


def times(counts: Counts, repeats: int) -> dict[Key, int]:
    """The counts of so many equal runs."""
    return {key: value * repeats for key, value in counts.items()}


def _grouped(parts: Iterable[tuple[Phase, Counts]]) -> dict[Phase, list[Counts]]:
    groups: dict[Phase, list[Counts]] = {}
    for phase, counts in parts:
        groups.setdefault(phase, []).append(counts)
    return groups


def _demand(gemm: LayerGemm) -> dict[str, Any]:
    return {"times": gemm.times, "needs_dx": gemm.needs_dx, "needs_dw": gemm.needs_dw, "recomputed": gemm.recomputed}
