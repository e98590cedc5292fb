"""The tables of an experiment's file: what is trained, variants, swept values and published figures, each checked."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.restrictions import STATIONARY, STATIONARY_DX, overlapped_drain, restricted
from jaxgrad.array.schedules import IN_ARRAY, OBJECTIVES, WEIGHT_UPDATES
from jaxgrad.autodiff.estimators.rad import MODES
from jaxgrad.base.errors import InputError, either
from jaxgrad.base.json_schema import Changes
from jaxgrad.base.schema import Section, Seed, Share, Size, Switch, among, otherwise
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.costs.area import ALONG
from jaxgrad.costs.hierarchy import can_run
from jaxgrad.costs.orders import ORDERS
from jaxgrad.costs.search import OBJECTIVES as PLAN_OBJECTIVES
from jaxgrad.hardware.files import MachineSection
from jaxgrad.networks.entries import NetworkEntry
from jaxgrad.networks.keys import NetworkName
from jaxgrad.studies.published import PublishedRatio
from jaxgrad.training.methods import ESTIMATORS, EstimatorSection

# quantity -> the keys of [machine] of which it needs one
QUANTITIES: dict[str, tuple[str, ...]] = {
    "cycles": (), "accesses": (), "dram_bytes": ("memory",), "energy": ("technology", "energy_table"),
    "area": ("technology",),
}  # fmt: skip
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]+$"), otherwise("give a name, on one line")]


class WorkloadSection(Section):
    """What is trained.

    Args:
        networks: names of ``models``, at the shapes of their papers, and the user's own; see ``networks.entries``.
        layers: single dense layers, [in features, out features] each.
        batch: images (or rows) a step.
        vector: whether work beside the array counts too; it needs ``machine.vector_lanes``.
        images: images of an epoch, to tell what an epoch and a run take.
        epochs: epochs of a run.
    """

    networks: list[NetworkEntry] = Field(default_factory=list)
    layers: list[Annotated[list[Size], Field(min_length=2, max_length=2), otherwise("give [in, out] sizes")]] = Field(
        default_factory=list
    )
    batch: Size = 1
    vector: Switch = False
    images: Size | None = None
    epochs: Size | None = None


class TrainedSection(Section):
    """A network that is really trained on digits, to measure how many of its MACs have no operand of zero.

    Args:
        model: its name, or the user's own (``networks.network``), as seen from the experiment's folder.
        epochs: of the training run.
        seed: of its weights and of the order of images.
    """

    model: NetworkName = "lenet"
    epochs: Size = 10
    seed: Seed = 0


class VariantSection(Section):
    """One way of doing it.

    Args:
        name: what reports call it.
        schedule: of the gradients.
        order: of their blocks, where there is a memory.
        forward: the dataflow of the forward pass.
        weight_update: where weights are updated, and whether that is counted.
        objective: what a schedule that chooses for each layer makes least.
        plan_for: what the search of blocks makes least.
        stationary: which operand of dW lies in the PEs: ``x``, ``dy``, or the ``best`` of the two for each layer; for
            schedules that compute dW weight-stationary.
        stationary_dx: the same of dX: ``w``, ``dy`` or ``best``.
        overlapped_drain: whether a single-buffered tile loads while the one before drains; of schedules with a pass
            that does both, such as ``interleaved``. Double-buffered PEs hide both, so that it changes nothing there.
        update_cycles: whether a separate weight update takes cycles of its own, R a tile of weights, and not its
            accesses alone (``array.layers.update_cycles``).
        estimator, keep, mode: how the gradients of weights are computed, as of ``jaxgrad train``: ``exact``, or ``rad``
            with the share of each layer's input that is kept, and what is.
        iso_area_with: the name of another variant: this one's array is the largest within that one's area (iso-area).
        iso_area_along: the side along which it grows or shrinks for that, ``rows``, ``cols``, or ``both``
            (``costs.area.iso_area``).
        machine: keys of ``machine`` that differ, such as ``{zero_gating = true}``.
    """

    name: Name
    schedule: Annotated[str, among(TRAINING_SCHEDULES)]
    order: Annotated[str, among(ORDERS)] = "separate"
    forward: Annotated[str, among(FORWARDS)] = "ws"
    stationary: Annotated[str, among(STATIONARY)] = "best"
    stationary_dx: Annotated[str, among(STATIONARY_DX)] = "best"
    overlapped_drain: Switch = False
    weight_update: Annotated[str, among(WEIGHT_UPDATES)] = "none"
    update_cycles: Switch = False
    objective: Annotated[str, among(OBJECTIVES)] = "cycles"
    plan_for: Annotated[str, among(PLAN_OBJECTIVES)] = "cycles"
    estimator: Annotated[str, among(ESTIMATORS)] = "exact"
    keep: Share | None = None
    mode: Annotated[str, among(MODES)] | None = None
    iso_area_with: str | None = None
    iso_area_along: Annotated[str, among(ALONG)] = "both"
    machine: Annotated[dict[str, Any], Changes(MachineSection)] = Field(default_factory=dict)

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
        if self.update_cycles and self.weight_update == "none":
            problem = "got true with weight_update 'none'"
            raise InputError("update_cycles", True, "give separate or in_array there", problem=problem)
        if "iso_area_along" in self.model_fields_set and self.iso_area_with is None:
            problem = f"got {self.iso_area_along!r} without iso_area_with"
            raise InputError("iso_area_along", self.iso_area_along, "give the two, or none", problem=problem)
        restricted(self.schedule, self.stationary, stationary_dx=self.stationary_dx)
        if self.overlapped_drain:
            overlapped_drain(self.schedule)
        EstimatorSection.of(self.estimator, self.keep, self.mode)
        return self


class SweepSection(Section):
    """An axis of a sweep: the values that a key takes in turn; several keys take theirs together.

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


class ChangeSection(SweepSection):
    """An assumption that is changed alone, all others being as written: once for each value.

    Args:
        without: keys that are taken out of the file for it, so that their defaults hold.
        note: what the assumption is about.
    """

    without: list[str] = Field(default_factory=list)
    note: str = ""


class PublishedSection(PublishedRatio):
    """A published figure; its ratio is over the baseline, or over ``over``.

    Args:
        network: whose figure it is; by default each of the workload's networks is compared with it.
        mean: whether it is the mean of several networks; ours is then the mean of the workload's networks.
        at: label of a swept value by the name of its axis.
        variant: what was measured, over the baseline (or over ``over``).
        over: the name of the variant that the ratio is over; by default the baseline.
        quantity: of what.
    """

    network: str | None = None
    mean: Switch = False
    at: dict[str, str] = Field(default_factory=dict)
    variant: str
    over: str | None = None
    quantity: Annotated[str, among(tuple(QUANTITIES))]

    @model_validator(mode="after")
    def _check_mean(self) -> PublishedSection:
        if self.mean and self.network is not None:
            problem = f"got true with network {self.network!r}"
            raise InputError("mean", True, "leave one of the two out", problem=problem)
        return self


def _label(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
