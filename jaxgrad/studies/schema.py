"""An experiment's TOML file, read and checked as a whole.

An experiment costs training steps: of each network (or single layer), under each *variant* (a schedule, and whatever
else distinguishes it), at each setting of the *swept* keys. Each such point is computed, and stored, on its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, distinct
from jaxgrad.base.json_schema import Elsewhere, Whole
from jaxgrad.base.schema import Section, Switch, among, checked, validated
from jaxgrad.hardware.files import MachineSection
from jaxgrad.networks.names import short
from jaxgrad.studies import trees
from jaxgrad.studies.measurements import checks, files
from jaxgrad.studies.measurements.sections import CalibrateSection, MeasuredSection
from jaxgrad.studies.sections import (
    QUANTITIES,
    ChangeSection,
    PublishedSection,
    SweepSection,
    TrainedSection,
    VariantSection,
    WorkloadSection,
)

PARTS: tuple[str, ...] = ("forward", "backward", "vector", "step")
MEASURED: tuple[str, ...] = ("compare", "count_psum_reads")
"""Keys that say what is read off the results, and not what is computed."""


def _machine(field: str, value: Any) -> dict[str, Any]:
    """``[machine]``, checked but left as written: variants and swept values change its keys before it is built."""
    if not isinstance(value, dict):
        raise InputError(field, value, "give a table, [machine]")
    validated(MachineSection, value)
    return value


class Experiment(Section):
    """An experiment's file; one that has ``extends = "other.toml"`` says only what it has otherwise (see ``trees``).

    Args:
        extends: the path of an experiment's file, as seen from this one's folder, that this one stands over.
        title: what it is, in a line; printed, as are the next two.
        question: what it asks.
        notes: what it assumes, a text each.
        machine: what all variants run on, but for what they change; paths in it are seen from this file's folder.
        trained: a network to train for its zeros; then ``workload`` gives only the batch.
        baseline: the name of the variant that the others are compared to.
        compare: the part of a step that is compared.
        measured: absolute values beside which ours stand.
        calibrate: what is fitted to them; ``false`` is nothing, where a file extends one with a fit.
        found_by_search: whether it was searched for so that it comes near the published figures; the report says so.
        fitted_to_measurements: whether values of the machine were fitted to what is measured; the report says so.
        count_psum_reads: whether ``accesses`` count reads of partial sums.
    """

    extends: Annotated[str | None, Elsewhere()] = None
    title: str
    question: str = ""
    notes: list[str] = Field(default_factory=list)
    workload: WorkloadSection = WorkloadSection()
    trained: TrainedSection | None = None
    machine: Annotated[dict[str, Any], checked(_machine), Whole(MachineSection)]
    variant: Annotated[list[VariantSection], Field(min_length=1)]
    sweep: list[SweepSection] = Field(default_factory=list)
    change: list[ChangeSection] = Field(default_factory=list)
    published: list[PublishedSection] = Field(default_factory=list)
    measured: list[MeasuredSection] = Field(default_factory=list)
    calibrate: CalibrateSection | Literal[False] | None = None
    baseline: str
    compare: Annotated[str, among(PARTS)] = "backward"
    count_psum_reads: Switch = True
    found_by_search: Switch = False
    fitted_to_measurements: Switch = False

    @model_validator(mode="after")
    def _fits(self) -> Experiment:
        _check_variants(self)
        _check_workload(self)
        _check_sweep(self)
        _check_published(self)
        _check_measured(self)
        return self

    @property
    def points(self) -> int:
        """How many training steps it costs."""
        networks = len(self.workload.networks) + len(self.workload.layers) or 1
        settings = math.prod(len(axis.values) for axis in self.sweep) + sum(len(each.values) for each in self.change)
        return networks * len(self.variant) * settings


def load(file: Path) -> Experiment:
    """The experiment in a file.

    Raises:
        InputError: the file can't be read, or a key or value in it is not valid.
    """
    tree = trees.read(file, "CONFIG")
    try:
        tree = files.expanded(tree, file.parent)
    except InputError as error:
        raise (error if error.context else error.read_from(str(file))) from None
    return check(tree, str(file))


def check(tree: Mapping[str, Any], origin: str) -> Experiment:
    """The experiment that a TOML tree describes; ``origin`` is the file that errors name."""
    return validated(Experiment, tree, origin)


def _check_variants(experiment: Experiment) -> None:
    variants = {variant.name: variant for variant in experiment.variant}
    if len(variants) < len(experiment.variant):
        names = [variant.name for variant in experiment.variant]
        raise InputError("variant.name", names, "give each variant a name of its own")
    references = [("baseline", experiment.baseline)]
    references += [
        ("variant.iso_area_with", variant.iso_area_with) for variant in experiment.variant if variant.iso_area_with
    ]
    references += [("published.variant", figure.variant) for figure in experiment.published]
    references += [("published.over", figure.over) for figure in experiment.published if figure.over]
    for key, name in references:
        if name not in variants:
            raise InputError(key, name, f"choose one of {', '.join(variants)}, the names of variants")
    for variant in experiment.variant:
        reference = variants[variant.iso_area_with] if variant.iso_area_with else None
        if reference is not None and reference.iso_area_with is not None:
            raise InputError(
                "variant.iso_area_with",
                reference.name,
                "name one whose array is given",
                problem=f"got {reference.name!r}, whose own array is found by area",
            )
    has_memory = experiment.machine.get("memory") is not None
    for variant in experiment.variant:
        if variant.order != "separate" and not has_memory and "memory" not in variant.machine:
            raise InputError(
                "variant.order",
                variant.order,
                "give a memory, or leave the order out",
                problem=f"got {variant.order!r} without machine.memory, where nothing depends on it",
            )


def _check_workload(experiment: Experiment) -> None:
    workload, trained = experiment.workload, experiment.trained
    networks = _networks(experiment)
    if not networks and trained is None:
        problem = "got neither networks nor layers"
        raise InputError("workload", None, "give some, or a [trained] network", problem=problem)
    if networks and trained is not None:
        problem = f"got {', '.join(networks)} and [trained]"
        raise InputError("workload", networks, "give one of the two", problem=problem)
    distinct("workload.networks", networks)
    if experiment.compare == "vector" and not workload.vector:
        problem = "got 'vector' without workload.vector"
        raise InputError("compare", "vector", "give workload.vector = true", problem=problem)
    if workload.epochs is not None and workload.images is None:
        problem = "got some without workload.images"
        raise InputError("workload.epochs", workload.epochs, "give images too", problem=problem)
    if workload.vector and experiment.machine.get("vector_lanes") is None:
        raise InputError("workload.vector", True, "give machine.vector_lanes too", problem="got true")


def _check_sweep(experiment: Experiment) -> None:
    distinct("sweep.name", [axis.name for axis in experiment.sweep])
    distinct("sweep.keys", [key for axis in experiment.sweep for key in axis.keys])
    for axis in experiment.sweep:
        distinct(f"sweep {axis.name!r}", [label for label, _ in axis.settings()])
    if experiment.sweep and experiment.change:
        names = [change.name for change in experiment.change]
        raise InputError("change", names, "leave one of the two out", problem=f"got {len(names)} beside a sweep")
    distinct("change.name", [change.name for change in experiment.change])
    for change in experiment.change:
        distinct(f"change {change.name!r}", [label for label, _ in change.settings()])


def _check_published(experiment: Experiment) -> None:
    computed = _computed(experiment)
    for figure in experiment.published:
        if figure.network is not None and figure.network not in computed.networks:
            raise InputError("published.network", figure.network, "it is not in the workload")
        required = QUANTITIES[figure.quantity]
        if required and computed.machine_keys.isdisjoint(required):
            keys = " or ".join(f"machine.{key}" for key in required)
            raise InputError("published.quantity", figure.quantity, f"give {keys} too")
        for axis, label in figure.at.items():
            if label not in computed.labels.get(axis, ()):
                raise InputError(
                    "published.at",
                    {axis: label},
                    "give a swept axis and one of its labels",
                    problem=f"got {axis} = {label!r}",
                )


def _check_measured(experiment: Experiment) -> None:
    checks.check_measured(experiment.measured, _computed(experiment))
    if experiment.calibrate:
        if experiment.machine.get("memory") is None:
            raise InputError("calibrate", None, "give machine.memory, whose values are fitted", problem="got no memory")
        given = {key for axis in experiment.sweep for key in axis.keys}
        given |= {key.removeprefix(f"variant.{each.name}.") for key in given for each in experiment.variant}
        given |= {f"machine.memory.{key}" for each in experiment.variant for key in each.machine.get("memory") or ()}
        checks.check_calibrate(experiment.calibrate, experiment.measured, given)


def _computed(experiment: Experiment) -> checks.Computed:
    trained = [short(experiment.trained.model)] if experiment.trained else []
    return checks.Computed(
        networks=[*_networks(experiment), *trained],
        variants=[variant.name for variant in experiment.variant],
        labels={axis.name: [label for label, _ in axis.settings()] for axis in experiment.sweep},
        machine_keys={*experiment.machine, *(key for variant in experiment.variant for key in variant.machine)},
        has_vector=experiment.workload.vector,
    )


def _networks(experiment: Experiment) -> list[str]:
    """The names of the workload's networks, and of its layers as ``INxOUT``."""
    networks = [entry.label for entry in experiment.workload.networks]
    return [*networks, *(f"{k}x{n}" for k, n in experiment.workload.layers)]
