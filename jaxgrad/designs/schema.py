"""What a sweep is: its TOML file, checked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.array.forwards import FORWARDS
from jaxgrad.base.errors import InputError, distinct
from jaxgrad.base.schema import Rate, Section, Seed, Size, Switch, among, otherwise, read_toml, validated
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.costs.cuts import CUTS
from jaxgrad.costs.hierarchy import can_run
from jaxgrad.costs.orders import CHOICES, FUSED
from jaxgrad.designs import plans
from jaxgrad.designs.ranges import Kibs, Rates, Sizes
from jaxgrad.hardware import FORMATS, Level
from jaxgrad.hardware.level import check_levels
from jaxgrad.hardware.memory import IM2COL
from jaxgrad.networks.entries import NetworkEntry

COLUMNS: dict[str, str] = {"cycles": "cycles", "energy": "energy_pj", "area": "area_um2", "edp": "edp_js"}
"""Objectives, and the column of the results each is in."""

OBJECTIVES: tuple[str, ...] = tuple(COLUMNS)
SOUGHT: tuple[str, ...] = ("cycles", "energy", "edp")
"""Objectives of a search; the least area is that of the smallest design, whatever it runs."""

InOut = Annotated[list[Size], Field(min_length=2, max_length=2), otherwise("give [in features, out features]")]


class WorkloadSection(Section):
    """What is trained, each network and layer at each batch.

    Args:
        networks: names of ``models``, at the shapes of their papers, and the user's own; see ``networks.entries``.
        layers: single dense layers, [in features, out features] each.
        batch: images (or rows) a step.
    """

    networks: list[NetworkEntry] = Field(default_factory=list)
    layers: list[InOut] = Field(default_factory=list)
    batch: Sizes = Field(default_factory=lambda: [1])


class SpaceSection(Section):
    """What differs between designs; each with each.

    Sizes and rates are lists, or ranges: {first, last, step} or {first, last, times}.

    Args:
        rows, cols: PEs of the array along a side.
        double_buffered: whether its PEs have shadow registers.
        schedule: of the gradients.
        order: of their blocks, where there is a memory.
        precision: of the operands, see ``Precision.of``.
        sram_kib: of the scratchpad, in KiB; with dram_gb_per_s or not at all.
        dram_gb_per_s: what DRAM delivers and takes together, in 10^9 bytes a second.
    """

    rows: Sizes
    cols: Sizes
    double_buffered: Annotated[list[Switch], Field(min_length=1)] = Field(default_factory=lambda: [False])
    schedule: Annotated[list[Annotated[str, among(TRAINING_SCHEDULES)]], Field(min_length=1)] = Field(
        default_factory=lambda: ["interleaved"]
    )
    order: Annotated[list[Annotated[str, among(plans.ORDERS)]], Field(min_length=1)] = Field(
        default_factory=lambda: ["separate"]
    )
    precision: Annotated[list[Annotated[str, among(tuple(FORMATS))]], Field(min_length=1)] = Field(
        default_factory=lambda: ["bf16"]
    )
    sram_kib: Kibs | None = None
    dram_gb_per_s: Rates | None = None

    @model_validator(mode="after")
    def _memory(self) -> SpaceSection:
        if (self.sram_kib is None) != (self.dram_gb_per_s is None):
            problem = "got it or dram_gb_per_s alone"
            raise InputError("sram_kib", self.sram_kib, "give both, or neither", problem=problem)
        for order, schedule in itertools.product(self.order, self.schedule):
            # An interleaved pass, which knows no "separate", takes the best of its own instead.
            if order != "separate" and not can_run(schedule, order):
                problem = f"got {order!r} with schedule {schedule!r}, which computes both gradients of a block at once"
                raise InputError("order", order, f"choose one of {', '.join((*FUSED, *CHOICES))}", problem=problem)
        return self


class FixedSection(Section):
    """What all designs share.

    Args:
        technology: energies and areas: a preset's name, or the path of a TOML file as seen from this file's folder.
        clock_ghz: the array's clock.
        memory_double_buffered: whether half of the scratchpad fills while the array works from the other half.
        im2col: where a convolution's overlapping patches are laid out, as the array reads them or in DRAM.
        forward: the dataflow of the forward pass.
        levels: memories between scratchpad and DRAM; with some, designs are costed one by one, as ``jaxgrad run``
            does.
    """

    technology: str | None = None
    clock_ghz: Rate = 1.0
    memory_double_buffered: Switch = True
    im2col: Annotated[str, among(IM2COL)] = "on_chip"
    forward: Annotated[str, among(FORWARDS)] = "ws"
    levels: list[Level] = Field(default_factory=list)


class ParetoSection(Section):
    """What makes a front of designs.

    Args:
        objectives: quantities of which no other design on a front has less of all.
    """

    objectives: Annotated[
        list[Annotated[str, among(OBJECTIVES)]], Field(min_length=1), otherwise(f"give some of {', '.join(OBJECTIVES)}")
    ] = Field(default_factory=lambda: ["cycles"])


class SearchSection(Section):
    """How plans are searched for.

    Args:
        plans: the set of cuts (``costs.cuts``). ``full`` looks at all blocks that ``jaxgrad run`` looks at, and says
            the same; ``coarse`` at a few of them.
    """

    plans: Annotated[str, among(tuple(CUTS))] = "full"


class DescentSection(Section):
    """What ``jaxgrad search`` looks for in the space.

    Args:
        objective: what is to be least.
        max_area_mm2: what area a design may have, in mm2; by default any.
        max_pes: how many PEs a design may have; by default any number.
        starts: descents for each schedule, order, precision and kind of PE.
        steps: of a descent.
        seed: of where they start.
    """

    objective: Annotated[str, among(SOUGHT)] = "cycles"
    max_area_mm2: Rate | None = None
    max_pes: Size | None = None
    starts: Size = 16
    steps: Size = 60
    seed: Seed = 0


class Sweep(Section):
    """The file of a design space.

    Args:
        title: what it is, in a line; printed.
    """

    title: str = "Design space"
    workload: WorkloadSection
    space: SpaceSection
    machine: FixedSection = FixedSection()
    pareto: ParetoSection = ParetoSection()
    search: SearchSection = SearchSection()
    descent: DescentSection = DescentSection()

    @model_validator(mode="after")
    def _fits(self) -> Sweep:
        if not (self.workload.networks or self.workload.layers):
            raise InputError("workload", None, "give some", problem="got neither networks nor layers")
        distinct("workload.networks", [entry.label for entry in self.workload.networks])
        if self.has_memory:
            for name in ("dram_gb_per_s", "sram_kib"):
                _distinct(f"space.{name}", getattr(self.space, name))
        priced = self.has_memory and self.machine.technology is not None
        priced_by = {"pareto.objectives": self.pareto.objectives, "descent.objective": [self.descent.objective]}
        for key, names in priced_by.items():
            for name in names:
                if name != "cycles" and not priced:
                    raise InputError(key, name, "give machine.technology and space.sram_kib too")
        if self.descent.max_area_mm2 is not None and not priced:
            remedy = "give machine.technology and space.sram_kib too"
            raise InputError("descent.max_area_mm2", self.descent.max_area_mm2, remedy)
        if self.machine.technology is not None and not self.has_memory:
            raise InputError(
                "machine.technology",
                self.machine.technology,
                "an access costs by the size of the SRAM, so give space.sram_kib and space.dram_gb_per_s",
                problem=f"got {self.machine.technology!r} without a memory",
            )
        self._check_levels()
        for name in ("rows", "cols", "double_buffered", "schedule", "order", "precision"):
            _distinct(f"space.{name}", getattr(self.space, name))
        return self

    def _check_levels(self) -> None:
        levels = self.machine.levels
        if not levels:
            return
        if self.space.sram_kib is None:
            remedy = "they are around a scratchpad, so give space.sram_kib and space.dram_gb_per_s"
            raise InputError("machine.levels", [level.name for level in levels], remedy)
        try:
            check_levels(tuple(levels), 1024 * max(self.space.sram_kib))
        except InputError as error:
            raise error.under("machine") from None
        if self.search.plans != "full":
            raise InputError("search.plans", self.search.plans, "give full: with levels designs are costed one by one")

    @property
    def has_memory(self) -> bool:
        return self.space.sram_kib is not None

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The sizes of a design, and their values."""
        names = ("rows", "cols", "sram_kib", "dram_gb_per_s") if self.has_memory else ("rows", "cols")
        return {name: getattr(self.space, name) for name in names}

    @property
    def points(self) -> int:
        """How many designs it costs, each network at each batch counting."""
        space = self.space
        axes = (space.rows, space.cols, space.double_buffered, space.schedule, space.order, space.precision)
        memory = (space.sram_kib, space.dram_gb_per_s) if self.has_memory else ()
        networks = len(self.workload.networks) + len(self.workload.layers)
        return networks * math.prod(len(axis or ()) for axis in (self.workload.batch, *axes, *memory))


def load(file: Path) -> Sweep:
    """The sweep in a file.

    Raises:
        InputError: it can't be read, or something in it will not do.
    """
    return check(read_toml(file, "CONFIG"), str(file))


def check(tree: Mapping[str, Any], origin: str) -> Sweep:
    return validated(Sweep, tree, origin)


def _distinct(key: str, values: Sequence[Any]) -> None:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise InputError(key, value, "give each value once", problem=f"got {value!r} twice")
        seen.add(value)
