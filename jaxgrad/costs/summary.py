"""A StepCost under one schedule as plain numbers, to keep in a file, tabulate and draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jaxgrad.array.counts import ACCESSES, ARRAY, CYCLES, MACS, STALLS, VECTOR, Key
from jaxgrad.array.schedules import Schedule
from jaxgrad.base.errors import InputError
from jaxgrad.base.tabular import Tabular, of_rows
from jaxgrad.costs import energy
from jaxgrad.costs.area import area
from jaxgrad.costs.records import Counts, LayerCost, Phase, StepCost, add, time_cycles
from jaxgrad.costs.shares import Share, is_choice, shares
from jaxgrad.costs.transfers import dram_bytes
from jaxgrad.hardware import Machine


@dataclass(frozen=True)
class PhaseSummary:
    """One phase: of a layer, or of all.

    Args:
        phase: which; of a sum, what it was asked for as.
        counts: see ``records.Counts``.
        dram_bytes: to and from DRAM; 0 without a memory.
        energy_pj: by component; empty without a technology.
    """

    phase: Phase
    counts: Counts
    dram_bytes: int = 0
    energy_pj: Mapping[str, float] = field(default_factory=dict)

    @property
    def time_cycles(self) -> int:
        """Clock cycles, stalls included."""
        return time_cycles(self.counts)

    def utilisation(self, pes: int) -> float:
        """MACs done over those that the array could do in that time, 0 to 1; 0 for work beside the array."""
        return self.counts[MACS] / (self.time_cycles * pes) if self.time_cycles else 0.0

    @property
    def macs_per_dram_byte(self) -> float | None:
        """Arithmetic intensity, for a roofline; None where nothing moves."""
        return self.counts[MACS] / self.dram_bytes if self.dram_bytes else None


@dataclass(frozen=True)
class LayerSummary:
    """One layer; ``shapes`` are (batch, in_features, out_features, times) of its GEMMs."""

    path: str
    shapes: tuple[tuple[int, int, int, int], ...]
    phases: tuple[PhaseSummary, ...]

    @property
    def total(self) -> PhaseSummary:
        return _sum(Phase("all"), self.phases)

    def select(self, *phases: str) -> PhaseSummary:
        """Some phases as one; labels as ``Summary.select`` has them."""
        return _selected(self.phases, phases)


@dataclass(frozen=True)
class Summary(Tabular):
    """A training step under one schedule on one machine.

    Args:
        schedule: its name.
        pes: PEs of all cores.
        dram_bytes_per_cycle: what DRAM delivers to all cores; None without a memory.
        clock_ghz: None without a memory.
        area_um2: of the PEs, of the SRAM and of levels, by ``pes``, ``sram`` and the levels' names; empty where no
            figure is known.
        phases: of all layers, and of the vector unit.
        layers: in the order of the model.
        levels: names of the memories between scratchpad and DRAM, from the scratchpad outwards.
        shares: of a choice among schedules, what ran; empty of any other.
    """

    schedule: str
    pes: int
    dram_bytes_per_cycle: float | None
    clock_ghz: float | None
    area_um2: Mapping[str, float]
    phases: tuple[PhaseSummary, ...]
    layers: tuple[LayerSummary, ...]
    levels: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()

    def select(self, *phases: str) -> PhaseSummary:
        """Some phases as one.

        Args:
            phases: labels of phases; ``backward`` stands for dX, dW and the update, ``vector`` for all work beside the
                array, ``step`` for everything.
        """
        return _selected(self.phases, phases)

    def columns(self) -> dict[str, list[Any]]:
        """A row for each layer and phase; ``cycles`` are all of them, at work and waiting."""
        rows = [
            {
                "schedule": self.schedule,
                "layer": layer.path,
                "phase": part.phase.label,
                "macs": part.counts[MACS],
                "cycles": part.time_cycles,
                "busy_cycles": part.counts[CYCLES],
                "stall_cycles": part.counts.get(STALLS, 0),
                "sram_words": sum(part.counts[key] for key in ACCESSES),
                "dram_bytes": part.dram_bytes,
                "energy_pj": sum(part.energy_pj.values()) if part.energy_pj else None,
                "utilisation_percent": 100 * part.utilisation(self.pes),
            }
            for layer in self.layers
            for part in layer.phases
        ]
        return of_rows(rows)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON. Counts of 0 are left out; ``from_dict`` brings back all that every machine has."""
        data = asdict(self)
        for phase in [*data["phases"], *(phase for layer in data["layers"] for phase in layer["phases"])]:
            phase["counts"] = [[*key, count] for key, count in phase["counts"].items() if count]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Summary:
        layers = tuple(
            LayerSummary(
                layer["path"],
                tuple((b, k, n, times) for b, k, n, times in layer["shapes"]),
                tuple(map(_phase, layer["phases"])),
            )
            for layer in data["layers"]
        )
        phases, levels = tuple(map(_phase, data["phases"])), tuple(data["levels"])
        shares = tuple(
            Share(**{**share, "short": tuple((axis, count) for axis, count in share["short"])})
            for share in data["shares"]
        )
        return cls(**{**data, "phases": phases, "layers": layers, "levels": levels, "shares": shares})


def _selected(parts: Iterable[PhaseSummary], phases: Sequence[str]) -> PhaseSummary:
    found = [part for part in parts if any(_is_of(part.phase, wanted) for wanted in phases)]
    return _sum(Phase("+".join(phases)), found)


_BACKWARD = ("dx", "dw", "dx+dw", "update", "backward")


def _is_of(phase: Phase, wanted: str) -> bool:
    if wanted == "step":
        return True
    if wanted == "vector":
        return phase.unit == VECTOR
    if wanted == "backward":
        return phase.unit == ARRAY and phase.name in _BACKWARD
    return phase.label == wanted


def summary(cost: StepCost, schedule: str | Schedule) -> Summary:
    """The numbers of one schedule of a step that was costed on a machine; one that is not registered, as a record."""
    machine, name = cost.machine, str(schedule)
    if machine is None:
        raise InputError("cost", None, "give one from step_cost", problem="got one without a machine")
    prices = energy.table(machine) if machine.technology or machine.energies else None

    def phase(part: Phase, counts: Counts) -> PhaseSummary:
        gating = machine.zero_gating
        spent = energy.energy_pj(counts, prices, zero_gating=gating, phase=part.name) if prices else {}
        return PhaseSummary(part, counts, dram_bytes(counts, machine.precision), spent)

    memory = machine.memory
    return Summary(
        schedule=name,
        pes=machine.array.pes * machine.cores,
        dram_bytes_per_cycle=machine.cores / float(memory.cycles_per_byte) if memory else None,
        clock_ghz=memory.clock_ghz if memory else None,
        area_um2=_areas(machine, schedule),
        phases=tuple(phase(part, counts) for part, counts in cost.phases(name).items()),
        layers=tuple(
            _layer(layer, [phase(Phase(part), counts) for part, counts in layer.phases[name].items()])
            for layer in cost.layers
        ),
        levels=tuple(level.name for level in memory.levels) if memory else (),
        shares=shares(cost, name, machine.array) if is_choice(cost, name) else (),
    )


def sums(cost: StepCost, *phases: str) -> dict[str, dict[str, Any]]:
    """By schedule, some phases together (``Summary.select``): cycles, stalls among them, DRAM bytes, pJ by component.

    Raises:
        ValueError: the step was costed on no machine.
    """
    parts = {schedule: summary(cost, schedule).select(*phases) for schedule in cost.schedules}
    return {
        schedule: {
            "time_cycles": part.time_cycles,
            "stall_cycles": part.counts.get(STALLS, 0),
            "dram_bytes": part.dram_bytes,
            "energy_pj": dict(part.energy_pj),
        }
        for schedule, part in parts.items()
    }


def _phase(data: Mapping[str, Any]) -> PhaseSummary:
    counts = {Key(level, tensor, action): count for level, tensor, action, count in data["counts"]}
    return PhaseSummary(**{**data, "phase": Phase(*data["phase"]), "counts": add([counts])})


def _layer(layer: LayerCost, phases: Iterable[PhaseSummary]) -> LayerSummary:
    shapes = tuple((*gemm.gemm.sizes.values(), gemm.times) for gemm in layer.gemms)
    return LayerSummary(layer.path, tuple((b, k, n, times) for b, k, n, times in shapes), tuple(phases))


def _areas(machine: Machine, schedule: str | Schedule) -> dict[str, float]:
    try:
        parts = area(machine, schedule)
    except InputError:  # no figure for this datapath: costs do without
        return {}
    return {"pes": parts.pes_um2, "sram": parts.sram_um2, **parts.levels_um2}


def _sum(name: Phase, parts: Iterable[PhaseSummary]) -> PhaseSummary:
    parts = list(parts)
    components = dict.fromkeys(component for part in parts for component in part.energy_pj)
    return PhaseSummary(
        name,
        add(part.counts for part in parts),
        sum(part.dram_bytes for part in parts),
        {component: sum(part.energy_pj.get(component, 0.0) for part in parts) for component in components},
    )
