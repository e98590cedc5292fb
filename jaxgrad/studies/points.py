"""An experiment's points: each a training step to cost, described by plain data that alone decides the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import validated
from jaxgrad.costs.area import IsoArea, iso_area
from jaxgrad.hardware import Machine
from jaxgrad.hardware.files import MachineSection, build
from jaxgrad.networks import entries
from jaxgrad.networks.names import NAMES, short
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.sections import VariantSection
from jaxgrad.studies.settings import Change, applied, settings
from jaxgrad.studies.trees import merged

Group = tuple[str, tuple[tuple[str, str], ...]]
"""A network, and labels of the swept values by axis, or that of what is changed."""

DIGITS = {"input_shape": [8, 8, 1], "classes": 10}
"""What a network is trained on for its zeros."""

_OF_ARRAY = ("iso_area_with", "iso_area_along")  # what they decide is in the point's data: the array


class Measure(NamedTuple):
    """What is read off a point's result; the result is the same whatever it is.

    Args:
        part: of a step, one of ``schema.PARTS``.
        psum_reads: whether accesses count reads of partial sums.
    """

    part: str
    psum_reads: bool = True


@dataclass(frozen=True)
class Point:
    """One training step under one variant.

    Args:
        network: the name of a model, or a layer as ``INxOUT``.
        at: labels of the swept values by axis.
        variant: its name.
        spec: all that decides the result, as plain data: ``network`` or ``layer`` or ``trained``, ``batch``,
            ``vector``, ``array``, and the sections ``machine`` and ``variant``.
        machine: what it is costed on.
        measure: what is read off the result.
        iso_area: how its array was found, if from another variant's area.
        change: what is not as the experiment is written, if anything.
        folder: of the experiment's file, from which the user's own networks are seen.
    """

    network: str
    at: Mapping[str, str]
    variant: str
    spec: Mapping[str, Any]
    machine: Machine
    measure: Measure
    iso_area: IsoArea | None = None
    change: Change | None = None
    folder: Path = Path()

    @property
    def label(self) -> str:
        return f"{self.network}, {self.variant}"

    @property
    def group(self) -> Group:
        """What points that are compared with each other have in common."""
        return self.network, (*self.at.items(), *([(self.change.name, self.change.label)] if self.change else []))

    @property
    def identity(self) -> tuple[str, tuple[str, ...], str]:
        """What tells points of an experiment as it is written apart: network, labels of the swept values, variant."""
        return self.network, tuple(self.at.values()), self.variant


def expand(experiment: Experiment, file: Path) -> list[Point]:
    """All points of an experiment, checked: what can't be built is refused before anything runs.

    Args:
        experiment: from ``file``.
        file: where it is from; paths in it are relative to its folder.

    Raises:
        InputError: a swept key does not exist, or a machine will not do.
    """
    points: list[Point] = []
    networks = _networks(experiment, file)
    for setting in settings(experiment):
        changed = applied(experiment, setting, str(file))
        batch, vector = changed.workload.batch, changed.workload.vector
        measure = Measure(changed.compare, changed.count_psum_reads)
        try:
            machines = _machines(changed, file)
        except InputError as error:
            raise (error.within(f"change {str(setting.change)!r}") if setting.change else error) from None
        for network, source in networks:
            for variant in changed.variant:
                section, machine, area_match = machines[variant.name]
                spec = {
                    **source,
                    "batch": batch,
                    "vector": vector,
                    "machine": section.model_dump(),
                    "array": [machine.array.rows, machine.array.cols],
                    "technology": repr(machine.technology),
                    "energies": machine.energies,
                    "variant": variant.model_dump(exclude={"name", "machine", *_OF_ARRAY}),
                }
                places = network, setting.at, variant.name
                points.append(Point(*places, spec, machine, measure, area_match, setting.change, file.parent))
    return points


def _machines(experiment: Experiment, file: Path) -> dict[str, tuple[MachineSection, Machine, IsoArea | None]]:
    """Each variant's machine, by its name."""
    built: dict[str, tuple[MachineSection, Machine, IsoArea | None]] = {}
    by_name = {variant.name: variant for variant in experiment.variant}

    def machine_of(variant: VariantSection) -> tuple[MachineSection, Machine]:
        try:
            section = validated(
                MachineSection, merged(experiment.machine, variant.machine), f"{file} (variant {variant.name!r})"
            )
        except InputError as error:
            raise error.under("machine") from None
        return section, build(section, file)

    for variant in experiment.variant:
        section, machine = machine_of(variant)
        area_match = None
        if variant.iso_area_with:
            other = by_name[variant.iso_area_with]
            try:
                area_match = iso_area(
                    machine_of(other)[1],
                    other.schedule,
                    variant.schedule,
                    along=variant.iso_area_along,
                    precision=machine.precision,
                )
            except InputError as error:
                raise error.within(f"variant.iso_area_with in {file}") from None
            machine = replace(machine, array=area_match.array)
        built[variant.name] = section, machine, area_match
    return built


def _networks(experiment: Experiment, file: Path) -> list[tuple[str, dict[str, Any]]]:
    """Each network's name, and what of a point's data says which it is."""
    if experiment.trained:
        model = experiment.trained.model
        try:
            if model not in NAMES:
                entries.abstract({"model": model, **DIGITS}, file.parent)
        except InputError as error:
            raise error.under("trained.model").read_from(str(file)) from None
        trained = {**experiment.trained.model_dump(), **entries.source(model, file.parent)}
        return [(short(model), {"trained": trained})]
    described = entries.described(experiment.workload.networks, "workload.networks", file)
    networks: list[tuple[str, dict[str, Any]]] = [(entries.label(one), {"network": one}) for one in described]
    return networks + [(f"{k}x{n}", {"layer": [k, n]}) for k, n in experiment.workload.layers]
