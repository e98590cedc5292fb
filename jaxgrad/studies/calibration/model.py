"""Time as a function of DRAM bandwidth and clock: an experiment's own costs, at any values of the two.

Cycles depend on the two through the bytes that DRAM moves in a cycle, and where there are memories between scratchpad
and DRAM, whose bandwidths stay, on the clock as well. They are costed at nodes, each about 1 % from the next, once, and
between nodes their logarithms are interpolated; what is found is costed exactly in the end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxgrad.costs import Summary
from jaxgrad.hardware import Memory
from jaxgrad.studies.calibration.least_squares import STEP
from jaxgrad.studies.compute import Demand, costed, demand
from jaxgrad.studies.measured import ours
from jaxgrad.studies.measurements.sections import FITTED, MeasuredSection
from jaxgrad.studies.points import Point
from jaxgrad.studies.store import Store

_FINER = 1000
"""All rates so many times as high have the same quotients, and are whole thousandths to as many more digits."""


class Target:
    """Measurements of one point.

    Args:
        point: it.
        sections: what was measured there, each with its phase.
        store: keeps traces.
    """

    def __init__(self, point: Point, sections: Sequence[tuple[MeasuredSection, str]], store: Store) -> None:
        self.point = point
        self.sections = sections
        self.asked = demand(point.spec, store, point.folder)
        layers = {section.layer for section, _ in sections}
        # Where single layers were measured and nothing else, the others need not be costed.
        gemms = self.asked.gemms if None in layers else [gemm for gemm in self.asked.gemms if gemm.path in layers]
        self._few = self.asked if None in layers or len(gemms) == 0 else self.asked._replace(gemms=gemms)
        self._nodes: dict[tuple[int, int], np.ndarray] = {}

    @property
    def memory(self) -> Memory:
        assert self.point.machine.memory is not None  # checked as the file is read
        return self.point.machine.memory

    def logarithms(self, bandwidth: float, clock: float) -> np.ndarray:
        """Of ours, at logarithms of the two over their own values; in the unit of each quantity."""
        place = ((clock - bandwidth) / STEP, clock / STEP if self.memory.levels else 0.0)
        cycles = np.zeros(len(self.sections))
        corners = [{math.floor(part), math.ceil(part)} for part in place]
        for node in itertools.product(*corners):
            weight = math.prod(1.0 - abs(part - whole) for part, whole in zip(place, node, strict=True))
            cycles = cycles + weight * self._node(*node)
        signs = np.array([{"cycles": 0, "time": -1, "throughput": 1}[each.quantity] for each, _ in self.sections])
        return cycles + signs * clock

    def exact(self, bandwidth: float, clock: float) -> list[float]:
        """Ours at a bandwidth in GB/s and a clock in GHz, as a file with these has them."""
        found = self._summary(replace(self.memory, dram_gb_per_s=bandwidth, clock_ghz=clock), self.asked)
        return [ours(section, phase, found, self.point) for section, phase in self.sections]

    def _node(self, slower: int, faster: int) -> np.ndarray:
        """Logarithms at a node, of times and images/s as if the clock were its own."""
        node = slower, faster
        if node not in self._nodes:
            own, clock = self.memory, math.exp(faster * STEP)
            memory = replace(
                own,
                dram_gb_per_s=_rate(own.dram_gb_per_s * clock / math.exp(slower * STEP)),
                clock_ghz=_rate(own.clock_ghz * clock),
                levels=tuple(replace(level, gb_per_s=level.gb_per_s and _rate(level.gb_per_s)) for level in own.levels),
            )
            summary = replace(self._summary(memory, self._few), clock_ghz=own.clock_ghz)
            values = [ours(section, phase, summary, self.point) for section, phase in self.sections]
            self._nodes[node] = np.log(values)
        return self._nodes[node]

    def _summary(self, memory: Memory, asked: Demand) -> Summary:
        return costed(replace(self.point, machine=replace(self.point.machine, memory=memory)), asked)


def _rate(value: float) -> float:
    return round(value * _FINER, 3)


def parameters(values: np.ndarray) -> tuple[float, float]:
    """Of the bandwidth and of the clock, from those of ``FITTED`` in this order."""
    bandwidth, clock = (float(values[FITTED.index(key)]) for key in ("dram_gb_per_s", "clock_ghz"))
    return bandwidth, clock
