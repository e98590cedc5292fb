"""Area of a machine, and arrays of equal area."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxgrad.array.schedules import Schedule, find
from jaxgrad.base.errors import InputError, one_of
from jaxgrad.hardware import Accelerator, Machine, Precision, Technology

ALONG: tuple[str, ...] = ("both", "rows", "cols")
"""Along which sides an array of equal area may differ from the other one."""

_ASPECT = 1.1  # how much longer than the wanted shape an array of equal area may be


class Area(NamedTuple):
    """Square micrometres of all cores; of levels between scratchpad and DRAM by name."""

    pes_um2: float
    sram_um2: float
    levels_um2: Mapping[str, float] = MappingProxyType({})

    @property
    def total_um2(self) -> float:
        return self.pes_um2 + self.sram_um2 + sum(self.levels_um2.values())


class IsoArea(NamedTuple):
    """An array of nearly the area of another one.

    Args:
        array: the largest that fits.
        pes_um2: its area.
        remainder_um2: what is left of the other's area.
    """

    array: Accelerator
    pes_um2: float
    remainder_um2: float


def area(machine: Machine, schedule: str | Schedule) -> Area:
    """Area of the PEs that a schedule needs, of the scratchpad, and of the levels around it, SRAM too.

    Raises:
        ValueError: no technology, or no figure for the machine's datapath.
    """
    per_pe, technology = pe_um2(machine, schedule), machine.technology
    assert technology is not None
    sram_bytes = machine.memory.total_bytes if machine.memory else 0
    covered_um2 = covered(
        per_pe, technology, pes=machine.array.pes * machine.cores, sram_bytes=sram_bytes * machine.cores
    )
    um2_per_byte = 8 * technology.sram_um2_per_bit
    return covered_um2._replace(levels_um2={name: um2_per_byte * size for name, size in machine.level_bytes.items()})


def covered(pe_um2: float, technology: Technology, *, pes: Any, sram_bytes: Any) -> Area:
    """Area by sizes, either of which may be an array.

    Args:
        pe_um2: of one PE.
        technology: what SRAM takes.
        pes, sram_bytes: of all cores together.
    """
    return Area(pe_um2 * pes, 8 * technology.sram_um2_per_bit * sram_bytes)


def pe_um2(machine: Machine, schedule: str | Schedule) -> float:
    """Area of one PE that can run ``schedule``."""
    if machine.technology is None:
        raise InputError("technology", None, "area needs one", problem="got none")
    schedule = find(schedule)
    return machine.technology.pe_area_um2(
        machine.technology.datapath(machine.precision.datapath),
        double_buffered=machine.array.double_buffered,
        kind=schedule.pe_kind,
        weights=machine.precision.w if schedule.keeps_weights_alone else None,
    )


def iso_area(
    machine: Machine,
    schedule: str | Schedule,
    baseline: str | Schedule,
    *,
    along: str = "both",
    precision: Precision | None = None,
) -> IsoArea:
    """The array of ``baseline``'s PEs that takes no more area than ``machine``'s array does with ``schedule``'s.

    The scratchpad stays as it is.

    Args:
        machine, schedule: whose area it is.
        baseline: what the array runs.
        along: ``rows``: as many columns as ``machine``'s array has, and the most rows that fit; ``cols``: the other way
            round; ``both``: of all arrays that fit and are nearly of the same shape (rows over columns within a tenth),
            the one of most PEs; of those with equally many, the one whose shape is nearest.
        precision: the number formats of ``baseline``'s PEs; ``machine``'s by default.

    Raises:
        ValueError: no technology, or no figure for the machine's datapath; or not even one PE fits (of ``rows`` and
            ``cols``, not even one row or column).

    >>> from jaxgrad import Accelerator, Machine, Memory, Precision, load_technology
    >>> array, memory = Accelerator(128, 192, double_buffered=True), Memory(8 << 20, dram_gb_per_s=1200)
    >>> machine = Machine(array, memory, Precision.of("bf16"), load_technology("eyeriss-65nm"))
    >>> iso_area(machine, "interleaved", "ws_only", along="rows").array
    Accelerator(rows=161, cols=192, double_buffered=True)
    """
    one_of("along", along, ALONG)
    per_pe = pe_um2(replace(machine, precision=precision or machine.precision), baseline)
    budget = pe_um2(machine, schedule) * machine.array.pes
    rows, cols = machine.array.rows, machine.array.cols
    most = math.floor(budget / per_pe * (1 + 1e-9))  # a quotient that is whole may come out a little less
    if along == "rows":
        rows = most // cols
    elif along == "cols":
        cols = most // rows
    if min(most, rows, cols) < 1:
        least = {"both": "PE", "rows": f"row of {cols} PEs", "cols": f"column of {rows} PEs"}[along]
        remedy = f"not one {baseline} {least} takes as little area: give a larger one"
        size = f"{machine.array.rows}x{machine.array.cols}"
        raise InputError("array", machine.array, remedy, problem=f"got {size}")
    if along == "both":
        rows, cols = _nearest(most, rows / cols)
    array = Accelerator(rows, cols, machine.array.double_buffered)
    return IsoArea(array, array.pes * per_pe, max(0.0, budget - array.pes * per_pe))


def _nearest(most: int, shape: float) -> tuple[int, int]:
    """Rows and columns of the largest array of at most so many PEs that has nearly the shape, rows over columns."""

    def widest(rows: int) -> tuple[int, int]:
        """The widest array of so many rows that fits, and is no wider than the shape allows."""
        return rows, max(1, min(most // rows, math.floor(rows / shape * _ASPECT * (1 + 1e-9))))

    def rank(size: tuple[int, int]) -> tuple[bool, int, float]:
        rows, cols = size
        distance = abs(math.log(rows / cols / shape))
        near = distance <= math.log(_ASPECT) + 1e-9
        return near, rows * cols if near else 0, -distance

    return max(map(widest, range(1, most + 1)), key=rank)
