"""A machine as a TOML file describes it: the section that experiments and commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Section, Size, Switch, among, read_toml, validated
from jaxgrad.hardware import Accelerator, Machine, Memory, Precision, VectorUnit, load_technology
from jaxgrad.hardware.energy_table import load_ert
from jaxgrad.hardware.machine import PARTITIONS


class MachineSection(Section):
    """The table ``[machine]``: a ``Machine``, whose array's and vector unit's keys stand in the table itself.

    ``technology`` is a preset's name or the path of a TOML file, ``energy_table`` that of an Accelergy ERT whose
    energies take the technology's place; both as seen from the experiment's folder.
    """

    rows: Size
    cols: Size
    double_buffered: Switch = False
    precision: Precision = Precision.of("bf16")
    memory: Memory | None = None
    technology: str | None = None
    energy_table: str | None = None
    vector_lanes: Size | None = None
    zero_gating: Switch = False
    cores: Size = 1
    partition: Annotated[str, among(PARTITIONS)] = "batch"


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
    levels = [level.name for level in section.memory.levels] if section.memory else []
    return Machine(
        array=Accelerator(section.rows, section.cols, section.double_buffered),
        memory=section.memory,
        precision=section.precision,
        technology=load_technology(section.technology, folder) if section.technology else None,
        energies=load_ert(folder / section.energy_table, levels) if section.energy_table else None,
        vector_unit=VectorUnit(section.vector_lanes) if section.vector_lanes else None,
        zero_gating=section.zero_gating,
        cores=section.cores,
        partition=section.partition,
    )


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
    wanted = {"machine": tree["machine"]} if "machine" in tree else {}
    return build(validated(_File, wanted, str(file)).machine, file)
