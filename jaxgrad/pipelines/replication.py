"""PipeDream's own planner: contiguous stages, each on one array or on several that take its batches in turn.

Source: Narayanan et al., PipeDream, SOSP 2019, section 3.1: a stage on r arrays takes ``1/r`` of the longer of its work
and the all-reduce of its gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from jaxgrad.base.errors import positive_integer
from jaxgrad.pipelines.asynchronous import after
from jaxgrad.pipelines.chain import Chain
from jaxgrad.pipelines.partitions import Link, Partition
from jaxgrad.pipelines.pipeline import Op, Pipeline, Shape, register


@dataclass(frozen=True)
class Replicated:
    """A partition and how many arrays each of its stages has.

    Args:
        partition: the stages; its period is that of the slowest stage on one array.
        replicas: arrays of each stage.
    """

    partition: Partition
    replicas: tuple[int, ...]

    def period(self, link: Link | None) -> Fraction:
        """Time a batch of the slowest stage, on its arrays."""
        busy = _busy(self.partition.chain, link, self.replicas)
        return max(
            Fraction(int(busy[count][start, stop]), count)
            for (start, stop), count in zip(pairwise(self.partition.cuts), self.replicas, strict=True)
        )


def replicated(chain: Chain, most: int, link: Link | None = None) -> list[Replicated]:
    """The stages of least period on 1, 2, ... ``most`` arrays; of equal ones that whose last stage has fewest arrays.

    Args:
        chain: of whole layers.
        most: arrays.
        link: what the all-reduce of a replicated stage takes; None for nothing.
    """
    positive_integer("processors", most)
    last = len(chain.atoms)
    later = np.triu(np.ones((last + 1, last + 1), bool), 1)
    busy = _busy(chain, link, range(1, most + 1))
    times = [np.where(later, busy[count] / count, np.inf) for count in range(1, most + 1)]
    least = [np.full(last + 1, np.inf)]
    least[0][0] = 0.0
    came: list[tuple[np.ndarray, np.ndarray]] = []
    for arrays in range(1, most + 1):
        options = np.stack(
            [np.maximum(least[arrays - count][:, None], times[count - 1]) for count in range(1, arrays + 1)]
        )
        flat = options.reshape(-1, last + 1)
        chosen = flat.argmin(axis=0)
        came.append((chosen % (last + 1), chosen // (last + 1) + 1))
        least.append(flat.min(axis=0))
    return [_traced(chain, came, arrays) for arrays in range(1, most + 1)]


def _traced(chain: Chain, came: list[tuple[np.ndarray, np.ndarray]], arrays: int) -> Replicated:
    place, cuts, replicas = len(chain.atoms), [len(chain.atoms)], []
    while place:
        starts, counts = came[arrays - 1]
        count = int(counts[place])
        place, arrays = int(starts[place]), arrays - count
        cuts.append(place)
        replicas.append(count)
    ends = tuple(cuts[::-1])
    slowest = max(int(chain.loads[start, stop]) for start, stop in pairwise(ends))
    return Replicated(Partition(chain, ends, slowest), tuple(replicas[::-1]))


def _busy(chain: Chain, link: Link | None, counts: Iterable[int]) -> dict[int, Int[np.ndarray, "cuts cuts"]]:
    """By number of arrays, what one of them is busy for in a batch with the layers from one cut to another: at work, or
    summing gradients with the others in a ring, whichever is longer; both where it waits for its words."""
    if link is None:
        return dict.fromkeys(counts, chain.loads)
    layers = chain.network.layers
    passed = np.concatenate([[0], np.cumsum([layers[atom.layer].weight_words for atom in chain.atoms], dtype=np.int64)])
    words = np.maximum(0, passed[None, :] - passed[:, None])
    join = np.maximum if link.overlapped else np.add
    return {count: join(chain.loads, all_reduce(words, count, link)) for count in counts}


def all_reduce(words: Int[np.ndarray, "..."] | int, arrays: int, link: Link) -> Int[np.ndarray, "..."]:
    """Time in which a ring of arrays sums gradients of so many words."""
    return link.time(np.asarray(2 * (arrays - 1) * words / arrays))


def ahead(stage: int, replicas: Sequence[int]) -> int:
    """Batches whose forward pass an array of a stage has done before a backward pass, so that all arrays behind it have
    work: PipeDream's number of batches in flight, but for the one that returns.

    >>> [ahead(stage, (2, 1, 1)) for stage in range(3)], ahead(0, (1, 1, 1))
    ([1, 1, 0], 2)
    """
    return -(-sum(replicas[stage:]) // replicas[stage]) - 1


def in_turn(processor: int, shape: Shape) -> Iterator[Op]:
    """Asynchronous 1F1B on the items that come to this array of its stage."""
    replicas = shape.replicas or (1,) * shape.processors
    stage = next(number for number in range(len(replicas)) if processor < sum(replicas[: number + 1]))
    first = processor - sum(replicas[:stage])
    items = range(first, shape.items, replicas[stage])
    before = ahead(stage, replicas)
    for place in range(len(items) + before):
        if place < len(items):
            yield Op("F", items[place], stage)
        if place >= before:
            yield Op("B", items[place - before], stage)


register(
    Pipeline(
        "pipedream_replicated",
        "PipeDream with stages on several arrays, which take its batches in turn and sum their gradients",
        "layers",
        in_turn,
        after,
        replicable=True,
    )
)
