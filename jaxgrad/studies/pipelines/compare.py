"""What an experiment with pipelines says: how many times as fast one variant is as another, by network and arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from statistics import mean

from jaxgrad.studies.pipelines.points import Point, Sample
from jaxgrad.studies.pipelines.schema import ComparisonSection, PipelineExperiment, PublishedSection


@dataclass(frozen=True)
class Ratios:
    """One comparison: the ratio of two variants' speeds, or of the words that they move.

    Args:
        name: of the comparison.
        variant, over: which variants; of speeds, above 1 the former is faster, of words, it moves more.
        by_network: by network and number of arrays.
    """

    name: str
    variant: str
    over: str
    by_network: Mapping[str, Mapping[int, float]]

    @property
    def title(self) -> str:
        return f"{self.name}: {self.variant} over {self.over}"

    def mean(self, processors: int) -> float:
        """Of all networks on so many arrays."""
        return mean(ratios[processors] for ratios in self.by_network.values())

    @property
    def overall(self) -> float:
        """The mean of all networks and numbers of arrays."""
        return mean(ratio for ratios in self.by_network.values() for ratio in ratios.values())


@dataclass(frozen=True)
class Results:
    """All that came out.

    Args:
        experiment: what was asked.
        samples: by network, in the order of its variants and numbers of arrays.
    """

    experiment: PipelineExperiment
    samples: Mapping[str, Sequence[Sample]]

    @property
    def ratios(self) -> list[Ratios]:
        """Every comparison's speeds."""
        return [
            _ratios(comparison, self.samples, self.periods, comparison.over, comparison.variant)
            for comparison in self.experiment.comparison
        ]

    @property
    def words(self) -> list[Ratios]:
        """Every comparison's words between arrays, of the variant over the other one's."""
        return [
            _ratios(comparison, self.samples, self.moved, comparison.variant, comparison.over)
            for comparison in self.experiment.comparison
        ]

    def periods(self, network: str, variant: str) -> dict[int, float]:
        """A variant's periods by number of arrays."""
        return {sample.processors: sample.period for sample in self._of(network, variant)}

    def moved(self, network: str, variant: str) -> dict[int, float]:
        """Words between arrays that a variant moves in a batch, by number of arrays."""
        return {sample.processors: sample.words_moved for sample in self._of(network, variant)}

    def speedups(self, network: str, variant: str) -> dict[int, float]:
        """How many times as fast as one array, under the variant's schedule, by number of arrays."""
        return {sample.processors: sample.single / sample.period for sample in self._of(network, variant)}

    def idle(self, network: str, variant: str) -> list[int]:
        """On how many arrays some have no part of the network."""
        return [sample.processors for sample in self._of(network, variant) if sample.busy < sample.processors]

    def ours(self, figure: PublishedSection) -> float:
        """What we have beside a published figure."""
        (found,) = (ratios for ratios in self.ratios if ratios.name == figure.comparison)
        counts = figure.processors or self.experiment.pipelines.processors
        values = [ratios[count] for ratios in found.by_network.values() for count in counts]
        return max(values) if figure.statistic == "greatest" else mean(values)

    def _of(self, network: str, variant: str) -> list[Sample]:
        number = [section.name for section in self.experiment.variant].index(variant)
        return [sample for sample in self.samples[network] if sample.variant == number]


def _ratios(
    comparison: ComparisonSection,
    networks: Iterable[str],
    values: Callable[[str, str], Mapping[int, float]],
    above: str,
    below: str,
) -> Ratios:
    """One variant's values over another one's; not a number where the latter's are 0."""
    return Ratios(
        comparison.name,
        comparison.variant,
        comparison.over,
        {
            name: {
                count: values(name, above)[count] / value if value else nan
                for count, value in values(name, below).items()
            }
            for name in networks
        },
    )


def results(experiment: PipelineExperiment, computed: Sequence[tuple[Point, Sequence[Sample]]]) -> Results:
    """The results of an experiment's points."""
    return Results(experiment, {point.network: samples for point, samples in computed})
