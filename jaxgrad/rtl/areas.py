"""Areas of PEs by dataflow, buffering and format, synthesized, and a technology that has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.array.schedules import PeKind, find
from jaxgrad.hardware import Accelerator, technology_files
from jaxgrad.rtl import synthesis
from jaxgrad.rtl.datapath import DATAPATHS, datapath
from jaxgrad.rtl.machine import machine_of

BASE = "horowitz-45nm"
"""The technology whose energies and SRAM are taken."""

MACHINES: Mapping[PeKind, str] = {
    "ws": "ws",
    "os": "os",
    "interleaved": "interleaved",
    "ws_transposable": "interleaved_k",
    "interleaved_transposable": "best",
}
"""The schedule whose machine has a PE of each kind."""

_OF_ANY = ("ws_transposable", "interleaved_transposable")
"""Kinds whose PEs keep more than weights."""


class PeChoice(NamedTuple):
    """A PE, by what decides its area.

    Args:
        format: of ``datapath.DATAPATHS``.
        double_buffered: whether it has shadows.
        kind: of ``hardware.technology.PE_KINDS``.
    """

    format: str
    double_buffered: bool
    kind: PeKind

    def __str__(self) -> str:
        return f"{MACHINES[self.kind]}, {'double' if self.double_buffered else 'single'}-buffered, {self.format}"


class PeRow(NamedTuple):
    """The PEs of a format and buffering: um2 by kind."""

    format: str
    double_buffered: bool
    um2: dict[PeKind, float]

    @property
    def interleaved_over_ws(self) -> float:
        return self.um2["interleaved"] / self.um2["ws"]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        areas = {f"{kind}_um2": um2 for kind, um2 in self.um2.items()}
        told = {"format": self.format, "double_buffered": self.double_buffered}
        return {**told, **areas, "interleaved_over_ws": round(self.interleaved_over_ws, 3)}


def with_wide(formats: Sequence[str]) -> list[str]:
    """The same, each with narrow weights after the one that has none: PEs in which more stays take that one's areas.

    >>> with_wide(["bf16", "int4_int1"])
    ['bf16', 'int4', 'int4_int1']
    """
    return list(dict.fromkeys(each for name in formats for each in (datapath(name).operands, name)))


def choices(formats: Sequence[str] = tuple(DATAPATHS)) -> list[PeChoice]:
    """All PEs of some formats.

    >>> len(choices(["int8"])), str(choices(["int8"])[0])
    (10, 'ws, single-buffered, int8')
    """
    return [PeChoice(name, shadows, kind) for name in formats for shadows in (False, True) for kind in MACHINES]


def um2(choice: PeChoice, liberty: Path | None = None) -> float:
    """Synthesizes a PE; of gate equivalents each is a NAND of NanGate's 45 nm library.

    Raises:
        InputError: as ``synthesis.pe_area``.
    """
    array = Accelerator(1, 1, choice.double_buffered)
    return synthesis.pe_area(machine_of(find(MACHINES[choice.kind]), array, datapath(choice.format)), liberty).in_um2


def rows(areas: Mapping[PeChoice, float]) -> Iterator[PeRow]:
    for (name, shadows), group in groupby(areas, key=lambda choice: choice[:2]):
        yield PeRow(name, shadows, {choice.kind: round(areas[choice], 1) for choice in group})


def technology(name: str, found: Sequence[PeRow], how: str, assumptions: Sequence[str]) -> str:
    """A technology file with these PEs, and energies and SRAM of ``BASE``.

    Args:
        name: of the technology.
        found: its PEs.
        how, assumptions: of the PEs' areas.
    """
    import tomli_w

    base = technology_files.read(BASE)
    tree = base.model_dump(by_alias=True, exclude_none=True)
    tree["name"] = name
    area = {"pe_source": how, "pe_assumptions": list(assumptions), "pe": list(map(_entry, found))}
    tree["area"] = {"sram_um2_per_bit": base.area.sram_um2_per_bit, **area}
    text = tomli_w.dumps(tree)
    technology_files.parse(text, name)
    return text


def _entry(row: PeRow) -> dict[str, Any]:
    """What a file says of them. Narrow weights matter where nothing else stays in a PE."""
    operands, weights = datapath(row.format).operands, datapath(row.format).weights
    told = {"datapath": operands, **({"weights": weights} if weights else {}), "double_buffered": row.double_buffered}
    return told | {f"{kind}_um2": um2 for kind, um2 in row.um2.items() if not weights or kind not in _OF_ANY}
