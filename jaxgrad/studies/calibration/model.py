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

_MOST_RATE = 1e6  # beyond it, floats are no longer whole thousandths to the digits that ``hardware.rates`` looks at


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
        self._few = _needed(self.asked, sections)
        self._nodes: dict[tuple[int, int], np.ndarray] = {}

    @property
    def memory(self) -> Memory:
        assert self.point.machine.memory is not None  # checked as the file is read
        return self.point.machine.memory

    def logarithms(self, bandwidth: float, clock: float, coarse: int) -> np.ndarray:
        """Of ours, at logarithms of the two over their own values; in the unit of each quantity.

        Args:
            bandwidth, clock: those logarithms.
            coarse: how many ``STEP`` apart the nodes are.
        """
        place = [part / STEP / coarse for part in (clock - bandwidth, clock if self.memory.levels else 0.0)]
        cycles = np.zeros(len(self.sections))
        for node in itertools.product(*({math.floor(part), math.ceil(part)} for part in place)):
            weight = math.prod(1.0 - abs(part - whole) for part, whole in zip(place, node, strict=True))
            cycles = cycles + weight * self._node(*(coarse * whole for whole in node))
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
            rate = own.dram_gb_per_s * clock / math.exp(slower * STEP)
            memory = _finer(own, rate, own.clock_ghz * clock)
            summary = replace(self._summary(memory, self._few), clock_ghz=own.clock_ghz)
            values = [ours(section, phase, summary, self.point) for section, phase in self.sections]
            self._nodes[node] = np.log(values)
        return self._nodes[node]

    def _summary(self, memory: Memory, asked: Demand) -> Summary:
        return costed(replace(self.point, machine=replace(self.point.machine, memory=memory)), asked)


def _needed(asked: Demand, sections: Sequence[tuple[MeasuredSection, str]]) -> Demand:
    """What has to be costed: the layers that were measured, and no gradients where forward passes were."""
    layers, phases = {section.layer for section, _ in sections}, {phase for _, phase in sections}
    gemms = asked.gemms
    if None not in layers and any(gemm.path in layers for gemm in gemms):
        gemms = [gemm for gemm in gemms if gemm.path in layers]
    if phases == {"forward"}:
        gemms = [replace(gemm, needs_dx=False, needs_dw=False) for gemm in gemms]
    return asked._replace(gemms=gemms)


def _finer(memory: Memory, bandwidth: float, clock: float) -> Memory:
    """A memory in which as many bytes move in a cycle as with these rates.

    All are so many times as high that as many digits as can be are whole thousandths; their quotients stay.
    """
    rates = [bandwidth, clock, *(level.gb_per_s for level in memory.levels if level.gb_per_s)]
    times = 10.0 ** math.floor(math.log10(_MOST_RATE / max(rates)))
    levels = (replace(each, gb_per_s=each.gb_per_s and round(each.gb_per_s * times, 3)) for each in memory.levels)
    return replace(
        memory, dram_gb_per_s=round(bandwidth * times, 3), clock_ghz=round(clock * times, 3), levels=tuple(levels)
    )


def parameters(values: np.ndarray) -> tuple[float, float]:
    """Of the bandwidth and of the clock, from those of ``FITTED`` in this order."""
    bandwidth, clock = (float(values[FITTED.index(key)]) for key in ("dram_gb_per_s", "clock_ghz"))
    return bandwidth, clock
