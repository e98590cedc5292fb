"""What an experiment is: its TOML file, checked.

An experiment costs training steps: of each network (or single layer), under each *variant* (a schedule and what else
tells it from the others), at each setting of what is *swept*. Each such point is computed on its own and kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

import jaxgrad_models
from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.schedules import IN_ARRAY, OBJECTIVES, WEIGHT_UPDATES
from jaxgrad.base.errors import InputError, either
from jaxgrad.base.schema import Rate, Section, Seed, Size, Switch, among, checked, otherwise, validated
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.costs.hierarchy import can_run
from jaxgrad.costs.orders import ORDERS
from jaxgrad.costs.search import OBJECTIVES as PLAN_OBJECTIVES
from jaxgrad.hardware.files import MachineSection
from jaxgrad.studies import trees

NETWORKS: tuple[str, ...] = tuple(jaxgrad_models.INPUT_SHAPES)
# quantity -> keys of machine, one of which it takes
QUANTITIES: dict[str, tuple[str, ...]] = {
    "cycles": (), "accesses": (), "dram_bytes": ("memory",), "energy": ("technology", "energy_table"),
    "area": ("technology",),
}  # fmt: skip
InOut = Annotated[list[Size], Field(min_length=2, max_length=2), otherwise("give [in features, out features]")]
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]+$"), otherwise("give a name, on one line")]
PARTS: tuple[str, ...] = ("forward", "backward", "vector", "step")


class WorkloadSection(Section):
    """What is trained.

    Args:
        networks: names of ``models``, at the shapes of their papers.
        layers: single dense layers, [in features, out features] each.
        batch: images (or rows) a step.
        vector: whether work beside the array counts too; it needs ``machine.vector_lanes``.
        images: images of an epoch, to tell what an epoch and a run take.
        epochs: epochs of a run.
    """

    networks: list[Annotated[str, among(NETWORKS)]] = Field(default_factory=list)
    layers: list[Annotated[list[Size], Field(min_length=2, max_length=2), otherwise("give [in, out] sizes")]] = Field(
        default_factory=list
    )
    batch: Size = 1
    vector: Switch = False
    images: Size | None = None
    epochs: Size | None = None


class TrainedSection(Section):
    """A network that is really trained, to measure how many of its MACs have no operand of zero."""

    model: Annotated[str, among(tuple(jaxgrad_models.MODELS))] = "lenet"
    epochs: Size = 10
    seed: Seed = 0


class VariantSection(Section):
    """One way of doing it.

    Args:
        name: what reports call it.
        schedule: of the gradients.
        order: of their blocks, where there is a memory.
        iso_area_with: the name of a variant; this one's array is as large as that one's area allows.
        machine: keys of ``machine`` that differ, such as ``{zero_gating = true}``.
    """

    name: Name
    schedule: Annotated[str, among(TRAINING_SCHEDULES)]
    order: Annotated[str, among(ORDERS)] = "separate"
    forward: Annotated[str, among(FORWARDS)] = "ws"
    weight_update: Annotated[str, among(WEIGHT_UPDATES)] = "none"
    objective: Annotated[str, among(OBJECTIVES)] = "cycles"
    plan_for: Annotated[str, among(PLAN_OBJECTIVES)] = "cycles"
    iso_area_with: str | None = None
    machine: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_run(self) -> VariantSection:
        # Schedules that compute both gradients at once take the best of their own where nothing is said.
        if self.order != "separate" and not can_run(self.schedule, self.order):
            possible = ", ".join(order for order in ORDERS if can_run(self.schedule, order))
            raise InputError(
                "order",
                self.order,
                f"choose one of {possible}",
                problem=f"got {self.order!r} with schedule {self.schedule!r}",
            )
        if self.weight_update == "in_array" and self.schedule not in IN_ARRAY:
            raise InputError(
                "weight_update",
                "in_array",
                f"choose separate, or {either(IN_ARRAY)}",
                problem=f"got 'in_array' with schedule {self.schedule!r}",
            )
        return self


class SweepSection(Section):
    """Values that a key takes in turn; several keys take theirs together.

    Args:
        keys: such as ``["machine.rows", "machine.cols"]``.
        values: what all of them take; a list in it has one value for each key.
        name: of the axis, with its unit.
        labels: what to call the values; themselves by default.
    """

    keys: Annotated[list[str], Field(min_length=1)]
    values: Annotated[list[Any], Field(min_length=1)]
    name: Name
    labels: list[str] | None = None

    @model_validator(mode="after")
    def _match(self) -> SweepSection:
        for value in self.values:
            if isinstance(value, list) and len(value) != len(self.keys):
                raise InputError("values", value, f"give one value for each of {', '.join(self.keys)}")
        if self.labels is not None and len(self.labels) != len(self.values):
            raise InputError("labels", len(self.labels), f"give {len(self.values)}, one for each value")
        return self

    def settings(self) -> list[tuple[str, dict[str, Any]]]:
        """For each value its label and what it sets."""
        labels = self.labels or [_label(value) for value in self.values]
        return [
            (label, dict(zip(self.keys, value if isinstance(value, list) else [value] * len(self.keys), strict=True)))
            for label, value in zip(labels, self.values, strict=True)
        ]


class PublishedSection(Section):
    """A published figure.

    Args:
        network: whose it is; of each one, where nothing is said.
        mean: it is the mean of several networks; ours is then that of the workload's networks.
        at: label of a swept value by the name of its axis.
        variant: what was measured, over the baseline (or over ``over``).
        quantity: of what.
        ratio: the figure, the baseline's being 1; or ``at_most``, ``at_least``: the published range's ends.
        source: paper and place.
        assumption: what differs between the paper and this configuration and could account for a deviation.
    """

    network: str | None = None
    mean: Switch = False
    at: dict[str, str] = Field(default_factory=dict)
    variant: str
    over: str | None = None
    quantity: Annotated[str, among(tuple(QUANTITIES))]
    ratio: Rate | None = None
    at_most: Rate | None = None
    at_least: Rate | None = None
    source: str
    assumption: str = ""

    @model_validator(mode="after")
    def _one(self) -> PublishedSection:
        if self.ratio is None and self.at_most is None and self.at_least is None:
            raise InputError("ratio", None, "give ratio, or at_most, at_least or both", problem="got none")
        if self.ratio is not None and not (self.at_most is None and self.at_least is None):
            problem = f"got {self.ratio} and a range"
            raise InputError("ratio", self.ratio, "give ratio, or at_most, at_least or both", problem=problem)
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            problem = f"got {self.at_least}, above at_most"
            raise InputError("at_least", self.at_least, f"give at most {self.at_most}", problem=problem)
        if self.mean and self.network is not None:
            problem = f"got true with network {self.network!r}"
            raise InputError("mean", True, "leave one of the two out", problem=problem)
        return self


def _machine(field: str, value: Any) -> dict[str, Any]:
    """``machine`` as it is written: variants and swept values change keys of it, and what comes of them is built."""
    if not isinstance(value, dict):
        raise InputError(field, value, "give a table, [machine]")
    validated(MachineSection, value)
    return value


class Experiment(Section):
    """An experiment's file; one that has ``extends = "other.toml"`` says only what it has otherwise (see ``trees``).

    Args:
        title, question, notes: what it is, what it asks, and what it assumes: all are printed.
        workload, machine, variant, sweep, published: see there.
        trained: a network to train for its zeros; then ``workload`` gives only the batch.
        baseline: the name of the variant that the others are compared to.
        compare: the part of a step that is compared.
    """

    title: str
    question: str = ""
    notes: list[str] = Field(default_factory=list)
    workload: WorkloadSection = WorkloadSection()
    trained: TrainedSection | None = None
    machine: Annotated[dict[str, Any], checked(_machine)]
    variant: Annotated[list[VariantSection], Field(min_length=1)]
    sweep: list[SweepSection] = Field(default_factory=list)
    published: list[PublishedSection] = Field(default_factory=list)
    baseline: str
    compare: Annotated[str, among(PARTS)] = "backward"

    @model_validator(mode="after")
    def _fits(self) -> Experiment:
        names = [variant.name for variant in self.variant]
        if len(set(names)) < len(names):
            raise InputError("variant.name", names, "give each variant a name of its own")
        wanted = [("baseline", self.baseline)]
        wanted += [("variant.iso_area_with", each.iso_area_with) for each in self.variant if each.iso_area_with]
        wanted += [("published.variant", each.variant) for each in self.published]
        wanted += [("published.over", each.over) for each in self.published if each.over]
        for key, name in wanted:
            if name not in names:
                raise InputError(key, name, f"choose one of {', '.join(names)}, the names of variants")
        for variant in self.variant:
            other = next((each for each in self.variant if each.name == variant.iso_area_with), None)
            if other is not None and other.iso_area_with is not None:
                raise InputError(
                    "variant.iso_area_with",
                    other.name,
                    "name one whose array is given",
                    problem=f"got {other.name!r}, whose own array is found by area",
                )
        if not (self.workload.networks or self.workload.layers or self.trained):
            problem = "got neither networks nor layers"
            raise InputError("workload", None, "give some, or a [trained] network", problem=problem)
        networks = [*self.workload.networks, *(f"{k}x{n}" for k, n in self.workload.layers)]
        if self.trained and networks:
            problem = f"got {', '.join(networks)} and [trained]"
            raise InputError("workload", networks, "give one of the two", problem=problem)
        _distinct("workload.networks", networks)
        _distinct("sweep.name", [axis.name for axis in self.sweep])
        _distinct("sweep.keys", [key for axis in self.sweep for key in axis.keys])
        for axis in self.sweep:
            _distinct(f"sweep {axis.name!r}", [label for label, _ in axis.settings()])
        for each in self.published:
            if each.network is not None and each.network not in (*networks, self.trained and self.trained.model):
                raise InputError("published.network", each.network, "it is not in the workload")
        for each in self.published:
            given = [*self.machine, *(key for own in self.variant for key in own.machine)]
            if QUANTITIES[each.quantity] and not set(QUANTITIES[each.quantity]) & set(given):
                keys = " or ".join(f"machine.{key}" for key in QUANTITIES[each.quantity])
                raise InputError("published.quantity", each.quantity, f"give {keys} too")
        for variant in self.variant:
            if variant.order != "separate" and self.machine.get("memory") is None and "memory" not in variant.machine:
                raise InputError(
                    "variant.order",
                    variant.order,
                    "give a memory, or leave the order out",
                    problem=f"got {variant.order!r} without machine.memory, where nothing depends on it",
                )
        if self.compare == "vector" and not self.workload.vector:
            problem = "got 'vector' without workload.vector"
            raise InputError("compare", "vector", "give workload.vector = true", problem=problem)
        if self.workload.epochs is not None and self.workload.images is None:
            problem = "got some without workload.images"
            raise InputError("workload.epochs", self.workload.epochs, "give images too", problem=problem)
        if self.workload.vector and self.machine.get("vector_lanes") is None:
            raise InputError("workload.vector", True, "give machine.vector_lanes too", problem="got true")
        axes = {axis.name: [label for label, _ in axis.settings()] for axis in self.sweep}
        for each in self.published:
            for axis, label in each.at.items():
                if label not in axes.get(axis, ()):
                    raise InputError(
                        "published.at",
                        {axis: label},
                        "give a swept axis and one of its labels",
                        problem=f"got {axis} = {label!r}",
                    )
        return self

    @property
    def points(self) -> int:
        """How many training steps it costs."""
        networks = len(self.workload.networks) + len(self.workload.layers) or 1
        return networks * len(self.variant) * math.prod(len(axis.values) for axis in self.sweep)


def load(file: Path) -> Experiment:
    """The experiment in a file.

    Raises:
        InputError: it can't be read, or something in it will not do.
    """
    return check(trees.read(file, "CONFIG"), str(file))


def check(tree: Mapping[str, Any], origin: str) -> Experiment:
    return validated(Experiment, tree, origin)


def _distinct(key: str, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(key, twice, "give each once", problem=f"got {twice!r} twice")


def _label(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
