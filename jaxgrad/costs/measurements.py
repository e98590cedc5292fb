"""What data tell of a step and shapes cannot: the array's own counts, and the MACs without an operand of zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jaxgrad.array.counts import EFFECTUAL_MACS, MACS
from jaxgrad.autodiff import LayerCounters
from jaxgrad.costs.records import LayerCost, StepCost, times

Ratio = Sequence[int]
"""So many of so many."""


def measured(cost: StepCost, schedule: str, counters: Mapping[str, LayerCounters], steps: int) -> StepCost:
    """What ``steps`` steps took: ``schedule`` as the array counted it, the others from the same shapes.

    Which MACs are effectual depends on the data and not on the schedule, so the measured number serves them all.
    """

    def put_in(layer: LayerCost) -> LayerCost:
        forward, backward = (counts.counts() for counts in _of(layer.path, counters))
        phases = {
            name: {
                "forward": forward,
                "backward": backward
                if name == schedule
                else times(counts, steps) | {EFFECTUAL_MACS: backward[EFFECTUAL_MACS]},
            }
            for name, counts in layer.backward.items()
        }
        return replace(layer, phases=phases)

    return StepCost(tuple(map(put_in, cost.layers)), cost.schedules, cost.steps * steps, stored=cost.stored)


def repeated(cost: StepCost, counters: Mapping[str, LayerCounters], steps: int) -> StepCost:
    """``steps`` steps like one that was costed on a machine, with the zeros that the array's own counts tell of."""

    def put_in(layer: LayerCost) -> LayerCost:
        counted = _of(layer.path, counters)
        ahead, back = (
            (counts[EFFECTUAL_MACS], counts[MACS]) for counts in (counted.forward.counts(), counted.backward.counts())
        )
        phases = {}
        for schedule, by_phase in layer.phases.items():
            done = {phase: times(counts, steps) for phase, counts in by_phase.items()}
            passed = 0  # MACs of the phases before: shares of a sum, rounded so, add up to it
            for phase, counts in done.items():
                if phase == "forward":
                    counts[EFFECTUAL_MACS] = _part(counts[MACS], ahead)
                else:
                    counts[EFFECTUAL_MACS] = _part(passed + counts[MACS], back) - _part(passed, back)
                    passed += counts[MACS]
            phases[schedule] = done
        return replace(layer, phases=phases)

    vector = tuple(replace(work, counts=times(work.counts, steps)) for work in cost.vector)
    return replace(cost, layers=tuple(map(put_in, cost.layers)), vector=vector, steps=cost.steps * steps)


def _of(path: str, counters: Mapping[str, LayerCounters]) -> LayerCounters:
    """A layer's counters; those of a module that computes several products are numbered, and a layer's together."""
    numbered = [layer_counters for label, layer_counters in counters.items() if label.startswith(f"{path}#")]
    return counters[path] if path in counters else sum(numbered[1:], start=numbered[0])


def sparse(cost: StepCost, effectual: Mapping[str, tuple[Ratio, Ratio]]) -> StepCost:
    """A step whose data have zeros, as they were measured.

    Args:
        cost: from shapes.
        effectual: by layer, the effectual MACs and all MACs, of its forward and of its backward pass.
    """

    def put_in(layer: LayerCost) -> LayerCost:
        ahead, back = effectual[layer.path]
        phases = {
            schedule: {
                phase: {**counts, EFFECTUAL_MACS: _part(counts[MACS], ahead if phase == "forward" else back)}
                for phase, counts in by_phase.items()
            }
            for schedule, by_phase in layer.phases.items()
        }
        return replace(layer, phases=phases)

    return replace(cost, layers=tuple(map(put_in, cost.layers)))


def _part(macs: int, ratio: Ratio) -> int:
    some, of = ratio
    return macs * some // of if of else 0
