"""What is least: an objective within limits, of whole sizes exactly and of real ones relaxed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgrad.array import forwards
from jaxgrad.array.schedules import find
from jaxgrad.costs import area, energy
from jaxgrad.designs import relaxed
from jaxgrad.designs.problems import problems
from jaxgrad.designs.questions import Arrays, Question
from jaxgrad.designs.relaxed import Layers, Sizes
from jaxgrad.designs.schema import COLUMNS, Sweep
from jaxgrad.designs.space import Kind
from jaxgrad.designs.sweep import edp_js, energy_pj, time_cycles
from jaxgrad.hardware import Precision, Technology
from jaxgrad.hardware.precision import TENSORS
from jaxgrad.programs import LayerGemm

_OVER_LIMIT = 8.0  # a design twice too large costs 2**8 times as much
_SAMPLES = 6  # arrays along an axis for which splits are looked at


class Goal:
    """What is sought for one kind of design, as a function of the sizes that vary.

    Args:
        kind: the kind.
        sweep: the space, and what is sought in it.
        gemms: of the network at its batch.
        technology: the technology, if energies and areas are wanted.
    """

    def __init__(self, kind: Kind, sweep: Sweep, gemms: Sequence[LayerGemm], technology: Technology | None) -> None:
        self.column = COLUMNS[sweep.descent.objective]
        self._kind, self._sweep, self._technology = kind, sweep, technology
        self._precision = Precision.of(kind.precision)
        self._asked = self._questions(gemms)

    def choose(self, logs: Array) -> list[Any]:
        """The best plans for sizes whose logarithms to base 2 these are."""
        sizes = self._sizes(self._named(logs))
        return [relaxed.choose(question, layers, sizes, dx=dx, dw=dw) for question, layers, dx, dw in self._asked]

    def loss(self, logs: Array, chosen: list[Any]) -> Array:
        """Logarithm of the relaxed objective, and more beyond the limits."""
        named = self._named(logs)
        limits = _limits(named, self._kind, self._sweep, self._technology)
        over = [jnp.maximum(jnp.log(used / limit), 0.0) for used, limit in limits]
        return jnp.log(self._objective(named, chosen)) + _OVER_LIMIT * sum(over)

    def _questions(self, gemms: Sequence[LayerGemm]) -> list[tuple[Question, Layers, bool, bool]]:
        fixed, axes, kind = self._sweep.machine, self._sweep.axes, self._kind
        memory = self._sweep.has_memory
        layers = problems(gemms, patches_in_dram=not memory or fixed.im2col == "dram")
        halves = 2 if fixed.memory_double_buffered else 1
        usable = [kib * 1024 // halves for kib in axes["sram_kib"]] if memory else None
        grid = itertools.product(*(_spread(axes[name]) for name in ("rows", "cols")))
        rows, cols = np.array(list(grid), np.int64).T
        arrays = Arrays(rows, cols, kind.double_buffered)
        asked = []
        for forward, schedule, order in (
            (forwards.find(fixed.forward), "", ""),
            (None, find(kind.schedule), kind.order),
        ):
            question = Question(
                forward, schedule, order, kind.double_buffered, fixed.memory_double_buffered, self._precision
            )
            asked += [
                (question, relaxed.layers(question, group, arrays, usable), group.dx, group.dw)
                for group in question.groups(layers)
            ]
        return asked

    def _named(self, logs: Array) -> dict[str, Any]:
        return {name: 2.0 ** logs[index] for index, name in enumerate(self._sweep.axes)}

    def _sizes(self, named: Mapping[str, Any]) -> Sizes:
        if not self._sweep.has_memory:
            return Sizes(named["rows"], named["cols"])
        fixed = self._sweep.machine
        usable = named["sram_kib"] * 1024 / (2 if fixed.memory_double_buffered else 1)
        return Sizes(named["rows"], named["cols"], usable, named["dram_gb_per_s"] / fixed.clock_ghz)

    def _objective(self, named: Mapping[str, Any], chosen: list[Any]) -> Any:
        sizes, phases = self._sizes(named), {}
        for (question, layers, dx, dw), choice in zip(self._asked, chosen, strict=True):
            for phase, counted in relaxed.counts(question, layers, choice, sizes, dx=dx, dw=dw).items():
                into = phases.setdefault(phase, {})
                for key, value in counted.items():
                    into[key] = into.get(key, 0.0) + value
        cycles = time_cycles(phases)
        if self._sweep.descent.objective == "cycles":
            return cycles
        assert self._technology is not None
        bytes_ = 1024 * named["sram_kib"]
        prices = energy.priced(
            self._technology,
            self._precision,
            dict.fromkeys(TENSORS, bytes_),
            pes=named["rows"] * named["cols"],
            sram_bytes=bytes_,
        )
        spent = energy_pj(phases, prices)
        edp = edp_js(spent, cycles, self._sweep.machine.clock_ghz)
        return spent if self._sweep.descent.objective == "energy" else edp


def within_limits(design: Sequence[Any], kind: Kind, sweep: Sweep, technology: Technology | None) -> bool:
    """Whether a design, a value for each of ``Sweep.axes``, is within the limits."""
    named = dict(zip(sweep.axes, design, strict=True))
    return all(used <= limit * (1 + 1e-12) for used, limit in _limits(named, kind, sweep, technology))


def _limits(
    named: Mapping[str, Any], kind: Kind, sweep: Sweep, technology: Technology | None
) -> list[tuple[Any, float]]:
    """What a design uses of each thing that is limited, and the limit."""
    wanted, limits = sweep.descent, []
    if wanted.max_area_mm2 is not None and technology is not None:
        limits.append((_area_um2(named, kind, technology), wanted.max_area_mm2 * 1e6))
    if wanted.max_pes is not None:
        limits.append((named["rows"] * named["cols"], float(wanted.max_pes)))
    return limits


def _area_um2(named: Mapping[str, Any], kind: Kind, technology: Technology) -> Any:
    datapath = Precision.of(kind.precision).multiplier
    pe_um2 = technology.pe_area_um2(datapath, double_buffered=kind.double_buffered, kind=find(kind.schedule).pe_kind)
    pes, sram_bytes = named["rows"] * named["cols"], 1024 * named["sram_kib"]
    return area.covered(pe_um2, technology, pes=pes, sram_bytes=sram_bytes).total_um2


def _spread(values: Sequence[int]) -> list[int]:
    """A few of the values, from the least to the largest, in equal ratios."""
    wanted = np.geomspace(min(values), max(values), _SAMPLES)
    return sorted({min(values, key=lambda value: abs(value - size)) for size in wanted.tolist()})
