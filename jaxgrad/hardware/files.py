"""A machine as a TOML file describes it: the section that experiments and commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import AtLeastZero, Section, Size, Switch, among, checked, read_toml, validated
from jaxgrad.hardware import Accelerator, Machine, Memory, Precision, VectorUnit, technology_files
from jaxgrad.hardware.energy_table import from_numbers, load_ert
from jaxgrad.hardware.machine import PARTITIONS
from jaxgrad.hardware.technology_files import PRESETS, TechnologyFile


def _text_or_table(field: str, value: Any) -> Any:
    if not isinstance(value, str | Mapping | TechnologyFile | None):
        raise InputError(field, value, "give a text, in quotes, or a table")
    return value


_PjByAction = dict[str, dict[str, AtLeastZero]]


class MachineSection(Section):
    """The table ``[machine]``: a ``Machine``, whose array's and vector unit's keys stand in the table itself.

    Args:
        rows, cols: PEs of the array along a side.
        double_buffered: whether PEs have shadow registers, so that the next tile loads while this one computes.
        precision: the format of all operands, or a table of formats by tensor.
        memory: scratchpad, levels and DRAM; without it all operands are at hand.
        technology: energies and areas: a preset's name, the path of a TOML file as seen from this file's folder, or
            such a file's tables themselves.
        energy_table: the path of an Accelergy ERT, as seen from this file's folder, or pJ by component and action;
            these take the place of the technology's energies.
        vector_lanes: elementwise operations a clock cycle of the vector unit; without it there is none.
        zero_gating: whether a PE skips the energy of a multiplication by zero.
        cores: arrays of this kind, each with memories of its own.
        partition: what cores share out among them.
    """

    rows: Size
    cols: Size
    double_buffered: Switch = False
    precision: Precision = Precision.of("bf16")
    memory: Memory | None = None
    technology: Annotated[TechnologyFile | str | None, checked(_text_or_table)] = None
    energy_table: Annotated[_PjByAction | str | None, checked(_text_or_table)] = None
    vector_lanes: Size | None = None
    zero_gating: Switch = False
    cores: Size = 1
    partition: Annotated[str, among(PARTITIONS)] = "batch"


class MachineFile(Section):
    """A file with a machine; whatever else is there is for others.

    Args:
        machine: its array, memories, formats, energies and areas.
    """

    model_config = ConfigDict(extra="ignore")

    machine: MachineSection


def read(tree: Mapping[str, Any], origin: str | None = None) -> MachineSection:
    """The section ``[machine]`` of a file's content, whatever else is there.

    Raises:
        InputError: something in it will not do.
    """
    return validated(MachineFile, tree, origin).machine


def build(section: MachineSection, file: Path) -> Machine:
    """The hardware that a section of ``file`` describes; paths in it are relative to the file's folder.

    Raises:
        InputError: its parts don't go together, or a file that it names won't do.
    """
    try:
        return _built(section, file.parent)
    except InputError as error:
        raise error.within(f"machine in {file}") from None


def build_inlined(section: MachineSection) -> Machine:
    """The hardware of a section that says all itself: a technology is a preset's name or a table.

    Raises:
        InputError: it names a file, or its parts don't go together.
    """
    if isinstance(section.technology, str) and section.technology not in PRESETS:
        remedy = f"give one of {', '.join(PRESETS)}, or its tables"
        raise InputError("machine.technology", section.technology, remedy)
    if isinstance(section.energy_table, str):
        raise InputError("machine.energy_table", section.energy_table, "give pJ by component and action, in a table")
    try:
        return _built(section, Path())
    except InputError as error:
        raise error.under("machine") if not error.context else error.within("machine") from None


def inlined(section: MachineSection, file: Path) -> MachineSection:
    """The same with what its files say in their place; presets keep their names.

    Args:
        section: of ``file``.
        file: paths in the section are relative to its folder.

    Raises:
        InputError: a file that it names won't do.
    """
    found: dict[str, Any] = {}
    try:
        if isinstance(section.technology, str) and section.technology not in PRESETS:
            found["technology"] = technology_files.read(section.technology, file.parent)
        if isinstance(section.energy_table, str):
            table = load_ert(file.parent / section.energy_table, _level_names(section))
            found["energy_table"] = {component: dict(actions) for component, actions in table.items()}
    except InputError as error:
        raise error.within(f"machine in {file}") from None
    return section.model_copy(update=found)


def table(section: MachineSection) -> dict[str, Any]:
    """A section as a file has it, its defaults written out; without the keys that have no value.

    >>> section = MachineSection(rows=4, cols=4, memory=Memory(4 << 20, dram_gb_per_s=100))
    >>> table(section)["memory"]["sram_kib"]
    4096
    """
    return _in_kib(section.model_dump(by_alias=True))


def _in_kib(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes in KiB, as files have them, and no key without a value."""
    written: dict[str, Any] = {}
    for key, value in tree.items():
        if key.endswith("_bytes"):
            written[f"{key.removesuffix('_bytes')}_kib"] = _kib(value)
        elif isinstance(value, Mapping):
            written[key] = _in_kib(value)
        elif isinstance(value, list | tuple):
            written[key] = [_in_kib(entry) if isinstance(entry, Mapping) else entry for entry in value]
        elif value is not None:
            written[key] = value
    return written


def _kib(size: Any) -> Any:
    """A size, or those of parts, in KiB: files have whole ones."""
    return {part: _kib(of_part) for part, of_part in size.items()} if isinstance(size, Mapping) else size // 1024


def _built(section: MachineSection, folder: Path) -> Machine:
    technology, energies = section.technology, section.energy_table
    if isinstance(technology, str):
        technology = technology_files.read(technology, folder)
    if isinstance(energies, str):
        energies = load_ert(folder / energies, _level_names(section))
    elif energies is not None:
        energies = from_numbers(energies, _level_names(section))
    return Machine(
        array=Accelerator(section.rows, section.cols, section.double_buffered),
        memory=section.memory,
        precision=section.precision,
        technology=technology and technology.technology(),
        energies=energies,
        vector_unit=VectorUnit(section.vector_lanes) if section.vector_lanes else None,
        zero_gating=section.zero_gating,
        cores=section.cores,
        partition=section.partition,
    )


def _level_names(section: MachineSection) -> list[str]:
    return [level.name for level in section.memory.levels] if section.memory else []


def load_section(file: Path, option: str) -> MachineSection:
    """The section ``[machine]`` of a TOML file, with what the files that it names say in their place.

    Args:
        file: its path; paths in it are relative to its folder.
        option: what the user gave it as, for messages.

    Raises:
        InputError: it can't be read, or something in it will not do.
    """
    return inlined(read(read_toml(file, option), str(file)), file)


def load_machine(file: Path, option: str) -> Machine:
    """The machine of a TOML file with one section, ``[machine]``.

    Args:
        file: its path; paths in it are relative to its folder.
        option: what the user gave it as, for messages.

    Raises:
        InputError: it can't be read, or something in it will not do.
    """
    return build(read(read_toml(file, option), str(file)), file)
