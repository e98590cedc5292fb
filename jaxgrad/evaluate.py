"""What a training step costs under each schedule: the one door to the counts, for the CLI, experiments and reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from jaxgrad.autodiff import LayerCounters
from jaxgrad.counters import ACCESSES, NAMES
from jaxgrad.emulation import Emulation, count, count_forward
from jaxgrad.workload import LayerGemm

# The schedules that give both gradients, so that a network can train on them, in the order in which reports show them.
TRAINING_SCHEDULES: tuple[str, ...] = ("interleaved", "sequential", "ws_only", "os_only", "auto")
BASELINES: tuple[str, ...] = ("sequential", "ws_only", "os_only")

Counts = Mapping[str, int]  # by the names of ``counters.NAMES``


@dataclass(frozen=True)
class LayerCost:
    """One layer's counts: its forward pass, and its backward pass under each schedule.

    Args:
        path: the layer's place in the model.
        gemms: what it asks of the array in one step; more than one if it is called on different shapes.
        forward: what its forward pass takes.
        backward: what its gradients take, by schedule.
    """

    path: str
    gemms: tuple[LayerGemm, ...]
    forward: Counts
    backward: Mapping[str, Counts]

    @property
    def needs_dx(self) -> bool:
        """Whether it passes a gradient on; the layer at the network's input does not."""
        return any(gemm.needs_dx for gemm in self.gemms)


@dataclass(frozen=True)
class StepCost:
    """A model's counts, layer by layer, over ``steps`` training steps.

    Args:
        layers: in the order in which the model calls them.
        schedules: those compared; every layer has each.
        steps: training steps that the counts are the sum of.
    """

    layers: tuple[LayerCost, ...]
    schedules: tuple[str, ...]
    steps: int = 1

    def total(self, schedule: str) -> dict[str, int]:
        """The backward counts of all layers under ``schedule``."""
        return _sum(layer.backward[schedule] for layer in self.layers)

    def total_forward(self) -> dict[str, int]:
        return _sum(layer.forward for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "steps": self.steps,
            "layers": {
                layer.path: {
                    "gemms_per_step": [{**asdict(gemm.gemm), **_demand(gemm)} for gemm in layer.gemms],
                    "forward": dict(layer.forward),
                    "backward": {schedule: dict(counts) for schedule, counts in layer.backward.items()},
                }
                for layer in self.layers
            },
            "total": {
                "forward": dict(self.total_forward()),
                "backward": {schedule: dict(self.total(schedule)) for schedule in self.schedules},
            },
        }


def accesses(counts: Counts) -> int:
    """SRAM accesses in words: all reads and writes."""
    return sum(counts[name] for name in ACCESSES)


def step_cost(
    layers: Sequence[LayerGemm], emulation: Emulation, schedules: Sequence[str] = TRAINING_SCHEDULES
) -> StepCost:
    """One training step under each of ``schedules``, from shapes alone: ``effectual_macs`` counts no zeros.

    Args:
        layers: the model's GEMMs.
        emulation: the array, the forward dataflow, the objective of ``auto`` and the weight update. Where that is
            ``in_array``, which only the interleaved schedule can do, the others update ``separate``-ly.
        schedules: those to compare; the emulation's own plays no part.
    """

    by_path: dict[str, list[LayerGemm]] = {}
    for gemm in layers:
        by_path.setdefault(gemm.path, []).append(gemm)
    costs = [
        LayerCost(
            path=path,
            gemms=tuple(gemms),
            forward=_sum(_forward(gemm, emulation) for gemm in gemms),
            backward={schedule: _sum(_backward(gemm, emulation, schedule) for gemm in gemms) for schedule in schedules},
        )
        for path, gemms in by_path.items()
    ]
    return StepCost(tuple(costs), tuple(schedules))


def measured(cost: StepCost, schedule: str, counters: Mapping[str, LayerCounters], steps: int) -> StepCost:
    """What ``steps`` steps took: ``schedule`` as the array counted it, the others from the same shapes.

    Which MACs are effectual depends on the data and not on the schedule, so the measured number serves them all.
    """

    def put_in(layer: LayerCost) -> LayerCost:
        own = counters[layer.path].backward.as_dict()
        backward = {
            name: own if name == schedule else _times(counts, steps) | {"effectual_macs": own["effectual_macs"]}
            for name, counts in layer.backward.items()
        }
        return replace(layer, forward=counters[layer.path].forward.as_dict(), backward=backward)

    return StepCost(tuple(map(put_in, cost.layers)), cost.schedules, cost.steps * steps)


def _forward(gemm: LayerGemm, emulation: Emulation) -> Counts:
    once = count_forward(gemm.gemm, emulation.array, emulation.forward).as_dict()
    return _times(once, gemm.times + gemm.recomputed)


def _backward(gemm: LayerGemm, emulation: Emulation, schedule: str) -> Counts:
    update = emulation.weight_update
    if update == "in_array" and schedule != "interleaved":
        update = "separate"
    once = count(
        gemm.gemm,
        emulation.array,
        schedule,
        weight_update=update,
        objective=emulation.objective,
        dx=gemm.needs_dx,
        dw=gemm.needs_dw,
    )
    return _times(once.as_dict(), gemm.times)


def _demand(gemm: LayerGemm) -> dict[str, Any]:
    return {"times": gemm.times, "needs_dx": gemm.needs_dx, "needs_dw": gemm.needs_dw, "recomputed": gemm.recomputed}


def _times(counts: Counts, steps: int) -> dict[str, int]:
    return {name: value * steps for name, value in counts.items()}


def _sum(counts: Iterable[Counts]) -> dict[str, int]:
    everything = list(counts)
    return {name: sum(each[name] for each in everything) for name in NAMES}
