"""The TOML file of an experiment with pipelines, read and checked as a whole.

It asks how fast P arrays train each network under each *variant* (a pipeline, the schedule of dX and dW where both are
on one array, what time is counted in, and the links between arrays), how much faster one variant is than another, and
how much more it moves (a *comparison*).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, distinct
from jaxgrad.base.schema import Rate, Section, Size, Switch, among, read_toml, validated
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.hardware.files import MachineSection
from jaxgrad.networks.entries import NetworkEntry
from jaxgrad.pipelines.network import TIMES
from jaxgrad.pipelines.partitions import Link
from jaxgrad.pipelines.pipeline import OF_SEVERAL, find
from jaxgrad.studies.published import PublishedRatio
from jaxgrad.studies.sections import Name

STATISTICS: tuple[str, ...] = ("mean", "greatest")
"""What of the ratios of all networks, and of some numbers of arrays, a published one is."""


class WorkloadSection(Section):
    """What is trained.

    Args:
        networks: names of ``models``, at the shapes of their papers, and the user's own; see ``networks.entries``.
        batch: images a batch.
    """

    networks: Annotated[list[NetworkEntry], Field(min_length=1)]
    batch: Size


class PipelinesSection(Section):
    """On how many arrays.

    Args:
        processors: numbers of arrays. Of a network that has fewer parts to distribute, the others are idle.
    """

    processors: Annotated[list[Size], Field(min_length=1)]


class VariantSection(Section):
    """One way of training on several arrays.

    Args:
        name: what reports call it.
        pipeline: one of ``pipelines.pipeline.OF_SEVERAL``.
        schedule: of dX and dW of a layer where both are on one array.
        time: what it is counted in, cycles of the array or MACs.
        words_per_cycle: what a link to a neighbour carries each way in a unit of time; without it words take no time.
        overlapped: whether an array works while its words leave, or waits for them.
        microbatches: into which a flushed pipeline cuts a batch.
        chunks: stages that an array has under a pipeline that gives it several.
        update_cycles: whether the update of weights takes time, see ``pipelines.network``.
    """

    name: Name
    pipeline: Annotated[str, among(OF_SEVERAL)]
    schedule: Annotated[str, among(TRAINING_SCHEDULES)] = "sequential"
    time: Annotated[str, among(TIMES)] = "cycles"
    words_per_cycle: Rate | None = None
    overlapped: Switch = True
    microbatches: Size = 8
    chunks: Size = 2
    update_cycles: Switch = False

    @property
    def link(self) -> Link | None:
        """Between neighbours; None where words take no time."""
        return None if self.words_per_cycle is None else Link(self.words_per_cycle, self.overlapped)

    @model_validator(mode="after")
    def _is_of_use(self) -> VariantSection:
        pipeline = find(self.pipeline)
        flushed = pipeline.flushed and not pipeline.replicates
        for key, taken, by in (
            ("overlapped", self.words_per_cycle is not None, "with words_per_cycle"),
            ("microbatches", flushed, "with a pipeline that is flushed"),
            ("chunks", pipeline.chunked, "with interleaved_1f1b"),
        ):
            if key in self.model_fields_set and not taken:
                raise InputError(key, getattr(self, key), f"give it {by}, or leave it out")
        if self.update_cycles and self.time == "macs":
            raise InputError("update_cycles", True, "count time in cycles: an update of weights has no MACs")
        return self

    def check_divides(self, batch: int, processors: Sequence[int]) -> None:
        """Refuses what the batch and the numbers of arrays do not allow.

        Raises:
            InputError: microbatches that do not divide the batch, arrays that do not divide the microbatches of
                interleaved stages, or more arrays than images to share.
        """
        pipeline = find(self.pipeline)
        if pipeline.replicates:
            if max(processors) > batch:
                remedy = f"give at most {batch} with {self.name!r}: the batch has so many images to share"
                raise InputError("pipelines.processors", max(processors), remedy)
        elif pipeline.flushed:
            if batch % self.microbatches:
                remedy = f"give a number that divides the batch, {batch}"
                problem = f"got {self.microbatches} for {self.name!r}"
                raise InputError("variant.microbatches", self.microbatches, remedy, problem=problem)
            uneven = [count for count in processors if self.microbatches % count]
            if pipeline.chunked and uneven:
                remedy = f"give numbers that divide the microbatches of {self.name!r}, {self.microbatches}"
                raise InputError("pipelines.processors", uneven[0], remedy)


class ComparisonSection(Section):
    """How many times as fast one variant is as another: the period of ``over`` divided by its own.

    Args:
        name: what reports call it.
        variant: the one.
        over: the other.
    """

    name: Name
    variant: str
    over: str


class PublishedSection(PublishedRatio):
    """A published figure, of several networks together.

    Args:
        comparison: whose it is, by name.
        statistic: what it is of the ratios, one of ``STATISTICS``.
        processors: the numbers of arrays that it is of; by default all.
    """

    comparison: str
    statistic: Annotated[str, among(STATISTICS)] = "mean"
    processors: Annotated[list[Size], Field(min_length=1)] | None = None


class PipelineExperiment(Section):
    """An experiment's file.

    Args:
        title: what it is, in a line; printed, as are the next two.
        question: what it asks.
        notes: what it assumes, a text each.
        machine: each of the arrays.
    """

    title: str
    question: str = ""
    notes: list[str] = Field(default_factory=list)
    workload: WorkloadSection
    machine: MachineSection
    pipelines: PipelinesSection
    variant: Annotated[list[VariantSection], Field(min_length=1)]
    comparison: Annotated[list[ComparisonSection], Field(min_length=1)]
    published: list[PublishedSection] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> PipelineExperiment:
        variants = [variant.name for variant in self.variant]
        comparisons = [comparison.name for comparison in self.comparison]
        distinct("workload.networks", [entry.label for entry in self.workload.networks])
        distinct("pipelines.processors", self.pipelines.processors)
        distinct("variant.name", variants)
        distinct("comparison.name", comparisons)
        for variant in self.variant:
            variant.check_divides(self.workload.batch, self.pipelines.processors)
        times = {variant.name: variant.time for variant in self.variant}
        for comparison in self.comparison:
            for key, name in (("variant", comparison.variant), ("over", comparison.over)):
                if name not in variants:
                    remedy = f"choose one of {', '.join(variants)}, the names of variants"
                    raise InputError(f"comparison.{key}", name, remedy)
            if times[comparison.variant] != times[comparison.over]:
                problem = f"got {comparison.variant!r} over {comparison.over!r}, whose times are not in one unit"
                raise InputError("comparison.over", comparison.over, "give one of the same time", problem=problem)
        for figure in self.published:
            if figure.comparison not in comparisons:
                remedy = f"choose one of {', '.join(comparisons)}, the names of comparisons"
                raise InputError("published.comparison", figure.comparison, remedy)
            for count in figure.processors or ():
                if count not in self.pipelines.processors:
                    raise InputError("published.processors", count, "give numbers that are in pipelines.processors")
        return self


def load(file: Path) -> PipelineExperiment:
    """The experiment in a file.

    Raises:
        InputError: the file can't be read, or a key or value in it is not valid.
    """
    return validated(PipelineExperiment, read_toml(file, "CONFIG"), str(file))
