"""A space's points in their order, cut into chunks that are computed, and kept, one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.designs.schema import Sweep
from jaxgrad.hardware import Accelerator, Machine, Memory, Precision, Technology, load_technology
from jaxgrad.networks import entries

_POINTS = 16_384  # of a chunk, with a memory: some 100 counters of 8 bytes each, a few times over
MOST_POINTS = 1_000_000_000
MOST_TOGETHER = 10_000_000
"""Designs that are looked at together, in memory, as a search does that costs them all."""
_BY_ONE = 16  # of a chunk whose designs are costed one by one
_ARRAYS = 65_536  # of a chunk, without one


@dataclass(frozen=True)
class Chunk:
    """Designs that are costed together: every array with every scratchpad and bandwidth, schedule and order.

    Args:
        workload: ``{"network": network}``, as ``networks.entries`` describes it, or ``{"layer": [in, out]}``.
        batch: images or rows a step.
        precision: of the operands.
        double_buffered: whether PEs have shadow registers.
        arrays: (rows, cols).
        sram_kib, dram_gb_per_s: empty without a memory.
        schedules, orders: of the gradients.
    """

    workload: Mapping[str, Any]
    batch: int
    precision: str
    double_buffered: bool
    arrays: tuple[tuple[int, int], ...]
    sram_kib: tuple[int, ...]
    dram_gb_per_s: tuple[float, ...]
    schedules: tuple[str, ...]
    orders: tuple[str, ...]

    @property
    def network(self) -> str:
        return name_of(self.workload)

    @property
    def shape(self) -> tuple[int, ...]:
        """Schedules, orders, arrays, scratchpads, bandwidths."""
        memory = (len(self.sram_kib) or 1, len(self.dram_gb_per_s) or 1)
        return (len(self.schedules), len(self.orders), len(self.arrays), *memory)

    @property
    def points(self) -> int:
        return math.prod(self.shape)

    def designs(self) -> dict[str, list[Any]]:
        """What each point is, by column; in the order of ``shape``."""
        points = list(
            itertools.product(
                self.schedules, self.orders, self.arrays, self.sram_kib or (None,), self.dram_gb_per_s or (None,)
            )
        )
        columns: dict[str, list[Any]] = {
            "network": [self.network] * len(points),
            "batch": [self.batch] * len(points),
            "rows": [array[0] for _, _, array, _, _ in points],
            "cols": [array[1] for _, _, array, _, _ in points],
            "double_buffered": [self.double_buffered] * len(points),
            "schedule": [schedule for schedule, *_ in points],
            "order": [order for _, order, *_ in points],
            "precision": [self.precision] * len(points),
        }
        if self.sram_kib:
            columns |= {"sram_kib": [kib for *_, kib, _ in points], "dram_gb_per_s": [gb for *_, gb in points]}
        return columns


class Kind(NamedTuple):
    """What of a design is no size."""

    schedule: str
    order: str
    double_buffered: bool
    precision: str


def kinds(sweep: Sweep) -> list[Kind]:
    """All kinds of design in a space."""
    space = sweep.space
    return list(
        itertools.starmap(
            Kind, itertools.product(space.schedule, _orders(sweep), space.double_buffered, space.precision)
        )
    )


def workloads(sweep: Sweep, file: Path = Path()) -> list[tuple[dict[str, Any], int]]:
    """Each network or layer with each batch.

    Args:
        sweep: the space.
        file: where it is from; the user's own networks are seen from its folder.

    Raises:
        ValueError: a network can't be built.
    """
    workload = sweep.workload
    networks = [{"network": one} for one in entries.described(workload.networks, "workload.networks", file)]
    layers = [{"layer": list(sizes)} for sizes in workload.layers]
    return list(itertools.product([*networks, *layers], workload.batch))


def name_of(workload: Mapping[str, Any]) -> str:
    """The network's name, or the layer's sizes."""
    return entries.label(workload["network"]) if "network" in workload else "x".join(map(str, workload["layer"]))


def chunks(sweep: Sweep, file: Path = Path()) -> list[Chunk]:
    """All points, each in one chunk.

    Args:
        sweep, file: as of ``workloads``.

    Raises:
        ValueError: there are too many, or a network can't be built.
    """
    if sweep.points > MOST_POINTS:
        raise InputError(
            "space",
            sweep.points,
            f"give at most {MOST_POINTS}, in several files if need be, or jaxgrad search it",
            problem=f"got {sweep.points} points",
        )
    space = sweep.space
    orders = _orders(sweep)
    per_array = len(space.schedule) * len(orders)
    points = _BY_ONE if sweep.machine.levels else _POINTS
    rates = _pieces(tuple(space.dram_gb_per_s or ()), points // per_array)
    sizes = _pieces(tuple(space.sram_kib or ()), points // (per_array * max(1, len(rates[0]))))
    most = points // (per_array * len(rates[0]) * len(sizes[0])) if sweep.has_memory else _ARRAYS // per_array
    arrays = _pieces(tuple(itertools.product(space.rows, space.cols)), most)
    return [
        Chunk(network, batch, precision, buffered, some, kib, gb, tuple(space.schedule), orders)
        for (network, batch), precision, buffered, some, kib, gb in itertools.product(
            workloads(sweep, file), space.precision, space.double_buffered, arrays, sizes, rates
        )
    ]


def check_together(sweep: Sweep) -> None:
    """Refuses more designs than are looked at together.

    Raises:
        InputError: there are too many.
    """
    if sweep.points > MOST_TOGETHER:
        remedy = f"give at most {MOST_TOGETHER} to cost them all, or --method descents, or jaxgrad sweep"
        raise InputError("space", sweep.points, remedy, problem=f"got {sweep.points} points")


def _orders(sweep: Sweep) -> tuple[str, ...]:
    """Without a memory nothing depends on the order."""
    return tuple(sweep.space.order) if sweep.has_memory else tuple(sweep.space.order[:1])


def technology(sweep: Sweep, folder: Path) -> Technology | None:
    """That of all designs; ``folder`` is what its path is relative to."""
    name = sweep.machine.technology
    return load_technology(name, folder) if name else None


def machine(
    sweep: Sweep, chunk: Chunk, technology: Technology | None, rows: int, cols: int, kib: int | None, gb: float | None
) -> Machine:
    """The hardware of one point.

    Raises:
        ValueError: a rate is no whole number of MB/s.
    """
    fixed = sweep.machine
    memory = None
    if kib is not None and gb is not None:
        levels = tuple(fixed.levels)
        memory = Memory(kib * 1024, gb, fixed.clock_ghz, fixed.memory_double_buffered, fixed.im2col, levels)
    array = Accelerator(rows, cols, chunk.double_buffered)
    return Machine(array, memory, Precision.of(chunk.precision), technology)


def machines(sweep: Sweep, chunk: Chunk, technology: Technology | None) -> Iterator[Machine]:
    """The machine of each array and scratchpad, the first bandwidth: all that energies and areas go by."""
    for (rows, cols), kib in itertools.product(chunk.arrays, chunk.sram_kib):
        yield machine(sweep, chunk, technology, rows, cols, kib, chunk.dram_gb_per_s[0])


def _pieces(values: tuple[Any, ...], most: int) -> list[tuple[Any, ...]]:
    """Runs of at most so many, equally long as far as that goes."""
    if not values:
        return [()]
    count = -(-len(values) // max(1, most))
    size = -(-len(values) // count)
    return [values[start : start + size] for start in range(0, len(values), size)]
