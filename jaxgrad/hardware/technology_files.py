"""Technologies in TOML: what a file may say, in which units; the presets are such files."""

from __future__ import annotations

import itertools
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, one_of
from jaxgrad.base.schema import AtLeastZero, Rate, Section, Size, Switch, checked, parse_toml, validated
from jaxgrad.hardware.precision import FORMATS, FormatName, joined, paired
from jaxgrad.hardware.technology import PE_KINDS, Technology

PRESETS: tuple[str, ...] = ("horowitz-45nm", "eyeriss-65nm", "sasiml")

_MIXED = tuple(joined(paired(*formats)) for formats in itertools.combinations(FORMATS, 2))
_OF_TWO = "^({0})_({0})$".format("|".join(FORMATS))
_HOW_MIXED = "join the names of two formats by _, the wider one first, as in bf16_int4"


def _mixed(field: str, value: Any) -> str:
    if value not in _MIXED:
        raise InputError(field, value, _HOW_MIXED)
    return value


def _datapath(field: str, value: Any) -> str:
    if value in _MIXED:
        return value
    return one_of(field, value, tuple(FORMATS))


class RegisterSection(Section):
    """Registers of a PE."""

    pj_per_bit: AtLeastZero = Field(description="pJ of reading or writing a bit of a PE's register")


class HopSection(Section):
    """Links between PEs."""

    pj_per_bit: AtLeastZero = Field(description="pJ of moving a bit to the register of the next PE")


class DramSection(Section):
    """DRAM."""

    pj_per_bit: AtLeastZero = Field(description="pJ of reading or writing a bit of DRAM")


class IdleSection(Section):
    """What PEs take whether they work or not."""

    pj_per_pe_cycle: AtLeastZero = Field(description="pJ that a PE takes in each clock cycle, at work or not")


class VectorSection(Section):
    """The vector unit."""

    pj_per_operation: AtLeastZero = Field(description="pJ of an elementwise operation of the vector unit")


class MacSection(Section):
    """Multiply-accumulates, by the operands' formats."""

    pj: Annotated[dict[FormatName, AtLeastZero], Field(min_length=1)] = Field(
        description="pJ of a multiply-accumulate, by the format of both operands"
    )
    mixed_pj: dict[Annotated[str, Field(pattern=_OF_TWO), checked(_mixed)], AtLeastZero] = Field(
        default_factory=dict,
        description="pJ of a multiply-accumulate of operands of two formats, by their names, the wider one first, "
        "joined by _ as in bf16_int4; pairs that are not given take the wider format's",
    )


class SramSection(Section):
    """The scratchpad, at sizes between and beyond which energy goes as a power of the size."""

    bytes: list[Size] = Field(description="sizes in bytes, growing")
    pj_per_bit: list[Rate] = Field(description="pJ of reading or writing a bit, at each of the sizes")
    leakage_pj_per_byte_cycle: AtLeastZero = Field(description="pJ that leaks from a byte in each clock cycle")

    @model_validator(mode="after")
    def _fits(self) -> SramSection:
        if len(self.bytes) != len(self.pj_per_bit) or not self.bytes or sorted(set(self.bytes)) != self.bytes:
            raise InputError("bytes", self.bytes, "give growing sizes, as many as sram.pj_per_bit has energies")
        return self


class PeSection(Section):
    """A PE, by what it multiplies and whether it is double-buffered."""

    datapath: Annotated[str, checked(_datapath, FormatName | Annotated[str, Field(pattern=_OF_TWO)])] = Field(
        description="a format, or two of them as in mac.mixed_pj: the operands that it multiplies"
    )
    weights: FormatName | None = Field(
        default=None, description="the format of weights, where it is narrower and nothing else stays in the PE"
    )
    double_buffered: Switch = Field(description="whether it has the registers that double buffering takes")
    ws_um2: Rate = Field(description="area in um2 of a PE that keeps an operand")
    os_um2: Rate = Field(description="area in um2 of a PE that keeps a result")
    interleaved_um2: Rate = Field(description="area in um2 of a PE that keeps both")
    ws_transposable_um2: Rate | None = Field(
        default=None, description="area in um2 of a PE that keeps an operand and adds to sums on either link"
    )
    interleaved_transposable_um2: Rate | None = Field(
        default=None, description="area in um2 of a PE that keeps both and adds to sums on either link"
    )


class AreaSection(Section):
    """Areas."""

    sram_um2_per_bit: AtLeastZero = Field(description="area in um2 of a bit of the scratchpad")
    pe_source: str = Field(default="", description="where the PEs' areas are from, such as the command that made them")
    pe_assumptions: list[str] = Field(default_factory=list, description="what that leaves open; reports list it")
    pe: list[PeSection] = Field(default_factory=list, description="PEs that have an area")


class TechnologyFile(Section):
    """A technology: energies in pJ, areas in um2."""

    name: str = Field(default="unnamed", description="what reports call it by")
    source: str = Field(default="", description="where the figures are from")
    assumptions: list[str] = Field(default_factory=list, description="what the source leaves open; reports list it")
    mac: MacSection
    registers: RegisterSection = Field(alias="register", title="register")  # pydantic's models have a `register`
    hop: HopSection
    sram: SramSection
    dram: DramSection
    idle: IdleSection
    vector: VectorSection
    area: AreaSection

    def technology(self) -> Technology:
        areas = [
            (pe, kind, um2)
            for pe in self.area.pe
            for kind in PE_KINDS
            if (um2 := getattr(pe, f"{kind}_um2")) is not None
        ]
        of_any = [((pe.datapath, pe.double_buffered, kind), um2) for pe, kind, um2 in areas if pe.weights is None]
        of_narrow = [
            ((pe.datapath, pe.weights, pe.double_buffered, kind), um2) for pe, kind, um2 in areas if pe.weights
        ]
        return Technology(
            name=self.name,
            source="; ".join(filter(None, (self.source, self.area.pe_source and f"PE areas: {self.area.pe_source}"))),
            assumptions=(*self.assumptions, *self.area.pe_assumptions),
            mac_pj=tuple(self.mac.pj.items()),
            register_pj_per_bit=self.registers.pj_per_bit,
            hop_pj_per_bit=self.hop.pj_per_bit,
            sram_pj_per_bit=tuple(zip(self.sram.bytes, self.sram.pj_per_bit, strict=True)),
            sram_leakage_pj_per_byte_cycle=self.sram.leakage_pj_per_byte_cycle,
            dram_pj_per_bit=self.dram.pj_per_bit,
            idle_pj_per_pe_cycle=self.idle.pj_per_pe_cycle,
            vector_pj_per_operation=self.vector.pj_per_operation,
            sram_um2_per_bit=self.area.sram_um2_per_bit,
            pe_um2=tuple(of_any),
            narrow_weights_pe_um2=tuple(of_narrow),
            mixed_mac_pj=tuple(self.mac.mixed_pj.items()),
        )


def read(name: str, folder: Path | None = None) -> TechnologyFile:
    """What the file of a technology says; arguments and errors as ``load_technology`` has them."""
    if not isinstance(name, str) or not (name.endswith(".toml") or "/" in name):
        file = resources.files("jaxgrad.hardware") / "technologies" / f"{one_of('technology', name, PRESETS)}.toml"
    else:
        file = (folder or Path()) / name
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "technology", Path(name), f"give the path of a TOML file that can be read, or one of {', '.join(PRESETS)}"
        ) from None
    return parse(text, name)


def parse(text: str, origin: str) -> TechnologyFile:
    """What TOML says of a technology.

    Args:
        text: the file's content.
        origin: the name of the file, for messages.

    Raises:
        InputError: a key is missing, unknown, or not what it should be.
    """
    return validated(TechnologyFile, parse_toml(text, "technology", origin), origin)


def load_technology(name: str, folder: Path | None = None) -> Technology:
    """A preset by name, or one's own by the path of its TOML file (it has a slash or ends in .toml).

    Args:
        name: one of ``PRESETS``, or a path.
        folder: what a relative path is relative to; the current folder by default.

    Raises:
        ValueError: there is none, or what it says will not do.

    >>> load_technology("horowitz-45nm").dram_pj_per_bit
    20.0
    """
    return read(name, folder).technology()
