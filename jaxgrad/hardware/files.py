"""A machine as a TOML file describes it: the section that experiments and commands share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import model_validator

from jaxgrad.base.errors import InputError, whole_number
from jaxgrad.base.schema import Rate, Section, Size, Switch, among, checked, read_toml, validated
from jaxgrad.hardware import FORMATS, Accelerator, Machine, Memory, PerOperand, Precision, VectorUnit, load_technology
from jaxgrad.hardware.energy_table import load_ert
from jaxgrad.hardware.machine import PARTITIONS
from jaxgrad.hardware.memory import IM2COL, MOST_BYTES


def _kib(field: str, value: Any) -> int:
    return whole_number(field, value, most=MOST_BYTES // 1024)


Kib = Annotated[int, checked(_kib)]


class MemorySection(Section):
    """The scratchpad, in KiB, whole or by tensor, and DRAM."""

    sram_kib: Kib | dict[str, Kib]
    dram_gb_per_s: Rate
    clock_ghz: Rate = 1.0
    double_buffered: Switch = True
    im2col: Annotated[str, among(IM2COL)] = "on_chip"

    @model_validator(mode="after")
    def _has_every_part(self) -> MemorySection:
        _has_keys("sram_kib", self.sram_kib, PerOperand, all_of_them=True)
        return self


class MachineSection(Section):
    """The accelerator.

    ``technology`` is a preset's name or the path of a TOML file, ``energy_table`` that of an Accelergy ERT whose
    energies take the technology's place; both as seen from the experiment's folder.
    """

    rows: Size
    cols: Size
    double_buffered: Switch = False
    precision: Annotated[str, among(tuple(FORMATS))] | dict[str, Annotated[str, among(tuple(FORMATS))]] = "bf16"
    memory: MemorySection | None = None
    technology: str | None = None
    energy_table: str | None = None
    vector_lanes: Size | None = None
    zero_gating: Switch = False
    cores: Size = 1
    partition: Annotated[str, among(PARTITIONS)] = "batch"

    @model_validator(mode="after")
    def _knows_the_tensors(self) -> MachineSection:
        _has_keys("precision", self.precision, Precision, all_of_them=False)
        return self


def _has_keys(field: str, value: Any, kind: type, *, all_of_them: bool) -> None:
    """Refuses a table whose keys are not the fields of ``kind``."""
    if not isinstance(value, dict):
        return
    names = [each.name for each in fields(kind)]
    wrong = [key for key in value if key not in names] or [name for name in names if all_of_them and name not in value]
    if wrong:
        raise InputError(field, sorted(value), f"give {'all' if all_of_them else 'some'} of {', '.join(names)}")


def build(section: MachineSection, file: Path) -> Machine:
    """The hardware that a section of ``file`` describes; paths in it are relative to the file's folder.

    Raises:
        InputError: its parts don't go together, or a file that it names won't do.
    """
    try:
        return _built(section, file.parent)
    except InputError as error:
        raise error.within(f"machine in {file}") from None


def _built(section: MachineSection, folder: Path) -> Machine:
    memory = section.memory
    return Machine(
        array=Accelerator(section.rows, section.cols, section.double_buffered),
        memory=Memory(
            _sram(memory.sram_kib),
            memory.dram_gb_per_s,
            memory.clock_ghz,
            memory.double_buffered,
            memory.im2col,
        )
        if memory
        else None,
        precision=Precision.of(section.precision)
        if isinstance(section.precision, str)
        else Precision(**section.precision),
        technology=load_technology(section.technology, folder) if section.technology else None,
        energies=load_ert(folder / section.energy_table) if section.energy_table else None,
        vector_unit=VectorUnit(section.vector_lanes) if section.vector_lanes else None,
        zero_gating=section.zero_gating,
        cores=section.cores,
        partition=section.partition,
    )


def _sram(sizes_kib: int | Mapping[str, int]) -> int | PerOperand:
    if isinstance(sizes_kib, int):
        return sizes_kib * 1024
    return PerOperand(**{name: size * 1024 for name, size in sizes_kib.items()})


class _File(Section):
    machine: MachineSection


def load_machine(file: Path, option: str) -> Machine:
    """The machine of a TOML file with one section, ``[machine]``.

    Args:
        file: its path; paths in it are relative to its folder.
        option: what the user gave it as, for messages.

    Raises:
        InputError: it can't be read, or something in it will not do.
    """
    tree = read_toml(file, option)
    own = {"machine": tree["machine"]} if "machine" in tree else {}
    return build(validated(_File, own, str(file)).machine, file)
