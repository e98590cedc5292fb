"""The points of an experiment with pipelines, a network each, and what comes out: every variant on every number of
arrays."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.array.emulation import Emulation
from jaxgrad.hardware import Machine
from jaxgrad.hardware.files import build
from jaxgrad.networks import entries
from jaxgrad.pipelines.chain import Chain
from jaxgrad.pipelines.network import Network, network
from jaxgrad.pipelines.pipeline import find
from jaxgrad.pipelines.plans import plans
from jaxgrad.programs import Graph
from jaxgrad.studies.pipelines.schema import PipelineExperiment, VariantSection
from jaxgrad.studies.store import Store

KIND = "pipelines"
"""Of the results in the store."""


@dataclass(frozen=True)
class Point:
    """A network under all variants.

    Args:
        network: the name of a model.
        spec: all that decides the result, as plain data: ``network``, ``batch``, ``machine``, ``processors``, and of
            each variant all but its name.
        machine: each array, and what is around it.
        variants: under which it is trained.
        folder: of the experiment's file, from which the user's own networks are seen.
    """

    network: str
    spec: Mapping[str, Any]
    machine: Machine
    variants: Sequence[VariantSection]
    folder: Path = Path()

    @property
    def label(self) -> str:
        return self.network


class Sample(NamedTuple):
    """A variant of a network on some arrays.

    Args:
        variant: its number in the file.
        processors: arrays.
        busy: how many of them have a part of the network.
        period: time a batch in steady state, simulated.
        single: time a batch on one array, under the same schedule.
        words_moved: between arrays, a batch.
        weight_words: of all versions of the weights on all arrays.
        activation_words: that wait for dW on all arrays, at most.
    """

    variant: int
    processors: int
    busy: int
    period: float
    single: int
    words_moved: int
    weight_words: int
    activation_words: int


def expand(experiment: PipelineExperiment, file: Path) -> list[Point]:
    """All points of an experiment, checked: a machine that can't be built is refused before anything runs.

    Args:
        experiment: from ``file``.
        file: where it is from; paths in it are relative to its folder.

    Raises:
        InputError: the machine, or a network, will not do.
    """
    machine = build(experiment.machine, file)
    common = {
        "batch": experiment.workload.batch,
        "machine": experiment.machine.model_dump(),
        "technology": repr(machine.technology),
        "energies": machine.energies,
        "processors": experiment.pipelines.processors,
        "variants": [variant.model_dump(exclude={"name"}) for variant in experiment.variant],
    }
    variants, networks = experiment.variant, experiment.workload.networks
    return [
        Point(entries.label(one), {"network": one, **common}, machine, variants, file.parent)
        for one in entries.described(networks, "workload.networks", file)
    ]


def run(points: Sequence[Point], store: Store) -> Iterator[list[Sample]]:
    """Each point's samples; a point that is done is on the disk before the next one begins.

    Raises:
        InputError: a point can't be computed; the message says which.
    """
    for kept in store.results(KIND, points, compute):
        yield [Sample(*values) for values in kept]


def compute(point: Point) -> list[Sample]:
    """A network's samples, variant by variant; the network is traced once.

    Raises:
        InputError: its graph is no chain, or it does not fit the machine.
    """
    spec = point.spec
    graph = functools.cache(functools.partial(traced, spec["network"], folder=point.folder))

    @functools.cache
    def timed(schedule: str, time: str, update_cycles: bool, batch: int) -> Network:
        emulation = Emulation(point.machine.array, schedule)
        return network(graph(batch), emulation, machine=point.machine, time=time, update_cycles=update_cycles)

    samples = []
    for number, variant in enumerate(point.variants):
        networks = functools.partial(timed, variant.schedule, variant.time, variant.update_cycles)
        single = networks(spec["batch"])
        record = find(variant.pipeline)
        shared = record.replicable or record.replicates or record.chunked
        most = max(spec["processors"]) if shared else len(Chain(single, record.grain).atoms)
        busy = {count: min(count, most) for count in spec["processors"]}
        sizes = {"microbatches": variant.microbatches, "chunks": variant.chunks, "link": variant.link}
        planned = plans(networks, spec["batch"], sorted(set(busy.values())), [record], **sizes)
        for count in spec["processors"]:
            plan = planned[busy[count], record.name]
            stored = plan.words_moved, plan.weight_words, plan.activation_words
            samples.append(Sample(number, count, busy[count], plan.period, single.total, *stored))
    return samples


def traced(network: entries.Described, batch: int, *, folder: Path = Path()) -> Graph:
    """What a network's step at a batch size is made of."""
    from jaxgrad.flax import step_work

    return step_work(*entries.abstract(network, folder, batch)).graph
