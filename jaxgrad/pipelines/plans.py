"""How a network is laid out on P arrays under a pipeline: what each array takes, moves and stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from jaxgrad.base.errors import InputError, positive_integer
from jaxgrad.pipelines.chain import Atom, Chain
from jaxgrad.pipelines.network import Network
from jaxgrad.pipelines.partitions import Link, Partition, partitions
from jaxgrad.pipelines.pipeline import OpKind, Pipeline, Shape, find
from jaxgrad.pipelines.replication import ahead, all_reduce, replicated
from jaxgrad.pipelines.simulator import Simulation, Stage, simulate

Networks = Callable[[int], Network]
"""A batch size to a step's layers, times and words."""


@dataclass(frozen=True)
class Plan:
    """A network on some arrays under a pipeline.

    Args:
        pipeline: which.
        shape: of the run that is simulated.
        partition: which atoms each stage has.
        link: between neighbours; None where words take no time.
    """

    pipeline: Pipeline
    shape: Shape
    partition: Partition
    link: Link | None

    @property
    def stages(self) -> list[Stage]:
        """What each stage takes, for a microbatch."""
        chain, link = self.partition.chain, self.link
        if self.pipeline.replicates:
            reduced = self._all_reduced // self.shape.processors
            (total,) = self.partition.times
            times = self._times(chain.atoms, total)
            times["W"] = 0 if link is None else int(link.time(reduced))
            return [Stage(times)] * self.shape.processors
        found = []
        for number, ((start, stop), total) in enumerate(
            zip(pairwise(self.partition.cuts), self.partition.times, strict=True)
        ):
            times = self._times(chain.atoms[start:stop], total)
            if rest := self._rest_of_all_reduce(number, total):
                times["W"] = rest
            forward = 0 if link is None else int(link.time(chain.forward_words[stop]))
            backward = 0 if link is None else int(link.time(chain.backward_words[start]))
            found.append(Stage(times, forward, backward))
        return found

    def _times(self, atoms: Iterable[Atom], total: int) -> dict[OpKind, int]:
        chain = self.partition.chain
        layers = chain.network.layers
        updating = [atom.layer for atom in atoms if "dW" in atom.kinds]
        update = sum(layers[number].update for number in updating)
        of_update: dict[OpKind, int] = {"U": update} if update else {}
        whole = [layers[atom.layer] for atom in atoms if len(atom.kinds) > 1]
        forward = sum(layer.forward for layer in whole)
        if self.pipeline.splits_backward:
            apart: dict[OpKind, int] = {"B": sum(layer.dx for layer in whole), "W": sum(layer.dw for layer in whole)}
            return {"F": forward, **apart, **of_update}
        forward += sum(atom.time for atom in atoms if atom.kinds == ("F",))
        return {"F": forward, "B": total - forward - sum(map(chain.update_share, updating)), **of_update}

    def _rest_of_all_reduce(self, stage: int, work: int) -> int:
        """What an array of a replicated stage waits for the sum of gradients, which may overlap with its work."""
        if self.link is None or not self.shape.replicas:
            return 0
        reduced = int(all_reduce(self._stage_words(stage), self.shape.replicas[stage], self.link))
        return max(0, reduced - work) if self.link.overlapped else reduced

    @cached_property
    def simulation(self) -> Simulation:
        overlapped = self.link is None or self.link.overlapped
        return simulate(self.pipeline, self.stages, self.shape, overlapped=overlapped)

    @cached_property
    def period(self) -> float:
        """Time a batch in steady state, simulated."""
        return float(self.simulation.period())

    @property
    def utilisation(self) -> float:
        """Share of all arrays' time at work in steady state; an all-reduce is none."""
        times = [stage.times for stage in self.stages]
        work = sum(time for by_kind in times for kind, time in by_kind.items() if kind in self._computed)
        updates = sum(by_kind.get("U", 0) for by_kind in times)
        return (work * self.shape.microbatches + updates) / self.shape.processors / self.period

    @property
    def _computed(self) -> tuple[OpKind, ...]:
        sums = self.pipeline.replicates or self.pipeline.replicable  # W is then the sum of gradients
        return ("F", "B") if sums else ("F", "B", "W")

    @property
    def words_moved(self) -> int:
        """Words between arrays in a batch."""
        if self.pipeline.replicates:
            return self._all_reduced
        # Each array of a replicated stage has done one batch of as many before they sum their gradients in a ring.
        summed = sum(
            2 * (count - 1) * self._stage_words(stage) // count for stage, count in enumerate(self.shape.replicas)
        )
        return self.shape.microbatches * sum(self.partition.words) + summed

    def _stage_words(self, stage: int) -> int:
        """Words of a stage's weights."""
        layers = self.partition.chain.network.layers
        return sum(layer.weight_words for number, layer in enumerate(layers) if self._stages_of(number)[0] == stage)

    @property
    def _all_reduced(self) -> int:
        """Words that a ring all-reduce of the gradients moves, all arrays together."""
        return 2 * (self.shape.processors - 1) * self.partition.chain.network.weight_words

    def delay(self, layer: int) -> int:
        """By how many updates a layer's weights are old when a batch meets them.

        F of a layer on array s, dW on array t: half of what s has, and half of what t has.
        """
        forward, update = self._stages_of(layer)
        if self.shape.replicas:
            return ahead(forward, self.shape.replicas)
        stages = self.partition.stages
        return (self.pipeline.delay(forward, stages) + self.pipeline.delay(update, stages)) // 2

    @property
    def weight_words(self) -> int:
        """Words of all versions of the weights on all arrays, each batch's backward pass with its own (stashed)."""
        network = self.partition.chain.network
        if self.pipeline.replicates:
            return self.shape.processors * network.weight_words
        return sum(
            layer.weight_words * (self.delay(number) + len(set(self._stages_of(number)))) * self._arrays_of(number)
            for number, layer in enumerate(network.layers)
        )

    def _arrays_of(self, layer: int) -> int:
        """How many arrays take the batches of a layer in turn."""
        return self.shape.replicas[self._stages_of(layer)[0]] if self.shape.replicas else 1

    @property
    def activation_words(self) -> int:
        """Words of X that wait for dW on all arrays, at most."""
        network = self.partition.chain.network
        if self.pipeline.replicates:
            return self.shape.processors * network.saved_words
        if not self.pipeline.flushed:
            return sum(
                layer.saved_words * (self.delay(number) + 1) * self._arrays_of(number)
                for number, layer in enumerate(network.layers)
            )
        kept = self.simulation.in_flight()
        return sum(layer.saved_words * kept[self._stages_of(number)[0]] for number, layer in enumerate(network.layers))

    def _stages_of(self, layer: int) -> tuple[int, int]:
        """The stages that have a layer's F and its dW."""
        places = self.partition.chain.places
        first, last = places(layer, "F")[0], places(layer, "dW")[-1]
        return self.partition.stage_of(first), self.partition.stage_of(last)


@dataclass(frozen=True)
class Row:
    """A pipeline on some arrays, in numbers.

    Args:
        processors: arrays.
        pipeline: its name.
        period: time a batch in steady state, simulated.
        speedup: one array's time a batch over it.
        over_pipedream: PipeDream's period on as many arrays over it.
        utilisation: share of all arrays' time at work.
        words_moved: between arrays, a batch.
        weight_words: of all versions on all arrays.
        activation_words: that wait for dW on all arrays, at most.
    """

    processors: int
    pipeline: str
    period: float
    speedup: float
    over_pipedream: float
    utilisation: float
    words_moved: int
    weight_words: int
    activation_words: int


def plans(
    networks: Networks,
    batch: int,
    processors: Sequence[int],
    pipelines: Sequence[str | Pipeline],
    *,
    microbatches: int = 8,
    chunks: int = 2,
    link: Link | None = None,
    batches: int = 60,
) -> dict[tuple[int, str], Plan]:
    """Each pipeline on each number of arrays, by both; ``single`` is on one.

    Args:
        networks: what the network asks for at a batch size.
        batch: its size.
        processors: numbers of arrays.
        pipelines: records, or names of registered ones.
        microbatches: into which flushed pipelines cut a batch.
        chunks: stages an array has, where a pipeline gives it several.
        link: between neighbours.
        batches: that are simulated.

    Raises:
        InputError: more arrays than atoms, or than rows of the batch to share; microbatches that do not divide the
            batch, or arrays that do not divide the microbatches of interleaved stages.
    """
    found: dict[tuple[int, str], Plan] = {}
    for pipeline in map(find, pipelines):
        counts = [1] if pipeline.alone else list(processors)
        for count in counts:
            positive_integer("processors", count)
        if pipeline.replicates:
            for count in counts:
                if count > batch:
                    raise InputError("processors", count, f"give at most {batch}: the batch has so many rows to share")
                chain = Chain(networks(-(-batch // count)), pipeline.grain)  # the largest share decides
                (whole,) = partitions(chain, 1)
                found[count, pipeline.name] = Plan(pipeline, Shape(count, batches=batches), whole, link)
            continue
        cut = microbatches if pipeline.flushed else 1
        network = networks(_divided("microbatches", batch, cut, "the batch"))
        if pipeline.splits_backward:
            network = apart(network)
        many = chunks if pipeline.chunked else 1
        if many > 1:
            for count in counts:
                _divided("processors", cut, count, "the microbatches of interleaved stages")
        chain = Chain(network, pipeline.grain, cut)
        if pipeline.replicable:
            for own in replicated(chain, max(counts), link):
                count = sum(own.replicas)
                if count in counts:
                    shape = Shape(count, batches=batches, replicas=own.replicas)
                    found[count, pipeline.name] = Plan(pipeline, shape, own.partition, link)
            continue
        if many > 1 and many * max(counts) > len(chain.atoms):
            remedy = f"give fewer stages an array: the network has {len(chain.atoms)} layers for {max(counts)} arrays"
            raise InputError("chunks", many, remedy)
        best = partitions(chain, many * max(counts), link)
        for count in counts:
            found[count, pipeline.name] = Plan(pipeline, Shape(count, many, cut, batches), best[many * count - 1], link)
    return found


def apart(network: Network) -> Network:
    """The network with dX and dW one after the other on an array, never together."""
    return replace(network, layers=tuple(replace(layer, backward=layer.dx + layer.dw) for layer in network.layers))


def rows(found: Mapping[tuple[int, str], Plan], single: Network, pipedream: Mapping[int, float]) -> list[Row]:
    """Plans in numbers.

    Args:
        found: from ``plans``.
        single: the network on one array, at the whole batch.
        pipedream: PipeDream's period by number of arrays.
    """
    table = []
    for (count, name), plan in found.items():
        table.append(
            Row(
                count,
                name,
                plan.period,
                single.total / plan.period,
                pipedream[count] / plan.period,
                plan.utilisation,
                plan.words_moved,
                plan.weight_words,
                plan.activation_words,
            )
        )
    return sorted(table, key=lambda row: row.processors)


def _divided(field: str, number: int, parts: int, what: str) -> int:
    if number % parts:
        raise InputError(field, parts, f"give a number that divides {what}, {number}")
    return number // parts
