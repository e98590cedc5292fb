"""An experiment's points: each a training step to cost, described by plain data that alone decides the result."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import validated
from jaxgrad.costs.area import IsoArea, iso_area
from jaxgrad.hardware import Machine
from jaxgrad.hardware.files import MachineSection, build
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.sections import VariantSection, WorkloadSection
from jaxgrad.studies.trees import merged

Group = tuple[str, tuple[tuple[str, str], ...]]
"""A network, and labels of the swept values by axis."""


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
        iso_area: how its array was found, if from another variant's area.
    """

    network: str
    at: Mapping[str, str]
    variant: str
    spec: Mapping[str, Any]
    machine: Machine
    iso_area: IsoArea | None = None

    @property
    def group(self) -> Group:
        """What points that are compared with each other have in common."""
        return self.network, tuple(self.at.items())


def expand(experiment: Experiment, file: Path) -> list[Point]:
    """All points of an experiment, checked: what can't be built is refused before anything runs.

    Args:
        experiment: from ``file``.
        file: where it is from; paths in it are relative to its folder.

    Raises:
        InputError: a swept key does not exist, or a machine will not do.
    """
    points: list[Point] = []
    for settings in itertools.product(*(axis.settings() for axis in experiment.sweep)):
        tree = {
            "workload": experiment.workload.model_dump(),
            "machine": copy.deepcopy(experiment.machine),
        }
        for _, keys in settings:
            for key, value in keys.items():
                _put(tree, key, value, str(file))
        at = {axis.name: label for axis, (label, _) in zip(experiment.sweep, settings, strict=True)}
        try:
            batch = validated(WorkloadSection, {**tree["workload"]}, str(file)).batch
        except InputError as error:
            raise error.under("workload") from None
        machines = _machines(experiment, tree["machine"], file)
        for network, source in _networks(experiment):
            for variant in experiment.variant:
                section, machine, area_match = machines[variant.name]
                spec = {
                    **source,
                    "batch": batch,
                    "vector": tree["workload"]["vector"],
                    "machine": section.model_dump(),
                    "array": [machine.array.rows, machine.array.cols],
                    "technology": repr(machine.technology),
                    "energies": machine.energies,
                    "variant": variant.model_dump(exclude={"name", "machine", "iso_area_with"}),
                }
                points.append(Point(network, at, variant.name, spec, machine, area_match))
    return points


def _machines(
    experiment: Experiment, tree: Mapping[str, Any], file: Path
) -> dict[str, tuple[MachineSection, Machine, IsoArea | None]]:
    """Each variant's machine, by its name."""
    built: dict[str, tuple[MachineSection, Machine, IsoArea | None]] = {}
    by_name = {variant.name: variant for variant in experiment.variant}

    def machine_of(variant: VariantSection) -> tuple[MachineSection, Machine]:
        try:
            section = validated(MachineSection, merged(tree, variant.machine), f"{file} (variant {variant.name!r})")
        except InputError as error:
            raise error.under("machine") from None
        return section, build(section, file)

    for variant in experiment.variant:
        section, machine = machine_of(variant)
        area_match = None
        if variant.iso_area_with:
            other = by_name[variant.iso_area_with]
            try:
                area_match = iso_area(machine_of(other)[1], other.schedule, variant.schedule)
            except InputError as error:
                raise error.within(f"variant.iso_area_with in {file}") from None
            machine = replace(machine, array=area_match.array)
        built[variant.name] = section, machine, area_match
    return built


def _networks(experiment: Experiment) -> list[tuple[str, dict[str, Any]]]:
    """Each network's name, and what of a point's data says which it is."""
    if experiment.trained:
        return [(experiment.trained.model, {"trained": experiment.trained.model_dump()})]
    networks = [(name, {"network": name}) for name in experiment.workload.networks]
    return networks + [(f"{k}x{n}", {"layer": [k, n]}) for k, n in experiment.workload.layers]


def _put(tree: dict[str, Any], key: str, value: Any, origin: str) -> None:
    *tables, last = key.split(".")
    has_table = bool(tables) and tables[0] in tree
    place: Any = tree if has_table else None
    for table in tables:
        place = place.get(table) if isinstance(place, dict) else None
    allowed = {"workload": ("batch",), "machine": tuple(MachineSection.model_fields)}
    if not isinstance(place, dict) or (len(tables) == 1 and last not in allowed.get(tables[0], (last,))):
        remedy = "give workload.batch or a key of machine, as machine.rows"
        raise InputError("sweep.keys", key, remedy).read_from(origin)
    place[last] = value
