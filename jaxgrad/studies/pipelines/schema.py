"""The TOML file of an experiment with pipelines, read and checked as a whole.

It asks how fast P arrays train each network under each *variant* (a pipeline, the schedule of dX and dW where both are
on one array, and what time is counted in), and how much faster one variant is than another (a *comparison*).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Section, Size, among, read_toml, validated
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.hardware.files import MachineSection
from jaxgrad.pipelines.network import TIMES
from jaxgrad.pipelines.pipeline import ASYNCHRONOUS
from jaxgrad.studies.published import PublishedRatio
from jaxgrad.studies.sections import NETWORKS, Name

STATISTICS: tuple[str, ...] = ("mean", "greatest")
"""What of the ratios of all networks, and of some numbers of arrays, a published one is."""


class WorkloadSection(Section):
    """What is trained.

    Args:
        networks: names of ``models``, at the shapes of their papers.
        batch: images a batch.
    """

    networks: Annotated[list[Annotated[str, among(NETWORKS)]], Field(min_length=1)]
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
        pipeline: one of ``pipelines.pipeline.ASYNCHRONOUS``.
        schedule: of dX and dW of a layer where both are on one array.
        time: what it is counted in, cycles of the array or MACs.
    """

    name: Name
    pipeline: Annotated[str, among(ASYNCHRONOUS)]
    schedule: Annotated[str, among(TRAINING_SCHEDULES)] = "sequential"
    time: Annotated[str, among(TIMES)] = "cycles"


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
        title, question, notes: what it is, what it asks, and what it assumes: all are printed.
        workload, machine, pipelines, variant, comparison, published: see there; the machine is each of the arrays.
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
        _check_distinct("workload.networks", self.workload.networks)
        _check_distinct("pipelines.processors", self.pipelines.processors)
        _check_distinct("variant.name", variants)
        _check_distinct("comparison.name", comparisons)
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


def _check_distinct(key: str, values: Sequence[str] | Sequence[int]) -> None:
    repeated = next((value for value in values if list(values).count(value) > 1), None)
    if repeated is not None:
        raise InputError(key, repeated, "give each once", problem=f"got {repeated!r} twice")
