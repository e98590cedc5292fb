"""What a pipeline is: how fine it cuts the network, in which order each array works, and how late its gradients are.

A new one is a ``Pipeline`` in a file of its own, ``register``ed (see ``asynchronous.py`` for a short one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxgrad.base.registry import Names, Registry
from jaxgrad.pipelines.chain import Grain

OpKind = Literal["F", "B", "W", "U"]


class Op(NamedTuple):
    """What an array does without a break.

    Args:
        kind: ``F`` the forward pass of a stage, ``B`` its backward pass; of a pipeline that splits it, ``B`` is dX and
            ``W`` is dW. Once a batch, and not in an order, since the simulator adds them: ``U``, the update of the
            stage's weights, and of a stage on several arrays ``W``, what these wait for the sum of their gradients.
        item: which microbatch, counted from the run's first; an asynchronous pipeline's batches are whole.
        stage: counted from the input.
    """

    kind: OpKind
    item: int
    stage: int


class Shape(NamedTuple):
    """How a run is laid out.

    Args:
        processors: arrays.
        chunks: stages an array has; array p has the stages p, p + processors, ...
        replicas: of each stage, where stages are replicated: arrays next to each other take the items in turn.
        microbatches: that a batch is cut into.
        batches: of the run.
    """

    processors: int
    chunks: int = 1
    microbatches: int = 1
    batches: int = 1
    replicas: tuple[int, ...] = ()

    @property
    def stages(self) -> int:
        return len(self.replicas) or self.processors * self.chunks

    def processor_of(self, item: int, stage: int) -> int:
        """The array that does an item's operations of a stage."""
        if not self.replicas:
            return stage % self.processors
        return sum(self.replicas[:stage]) + item % self.replicas[stage]

    @property
    def items(self) -> int:
        return self.microbatches * self.batches


Order = Callable[[int, Shape], Iterable[Op]]
"""(array, shape) to what the array does, in order."""

Delay = Callable[[int, int], int]
"""(stage, stages) to by how many updates the weights are older than the newest when a batch meets them."""


def no_delay(stage: int, stages: int) -> int:
    """The delay of a pipeline that is flushed before each update."""
    return 0


@dataclass(frozen=True)
class Pipeline:
    """How P arrays train a network together.

    Args:
        name: what users and results call it.
        description: in a line.
        grain: how fine the atoms are that are distributed, one of ``chain.GRAINS``.
        order: what each array does, in order.
        delay: of its gradients, in updates.
        flushed: whether a batch ends before the next one's weights are there; its microbatches share one version.
        splits_backward: whether dX and dW are done apart in time.
        replicates: whether each array has the whole network, and a share of the batch; ``W`` is then the sum of the
            gradients over all arrays.
        chunked: whether an array has several stages.
        replicable: whether a stage may be on several arrays, which take its batches in turn.
        alone: whether it is of one array.
    """

    name: str
    description: str
    grain: Grain
    order: Order
    delay: Delay = no_delay
    flushed: bool = False
    splits_backward: bool = False
    replicates: bool = False
    chunked: bool = False
    replicable: bool = False
    alone: bool = False

    def __hash__(self) -> int:
        return hash(self.name)


_REGISTRY: Registry[Pipeline] = Registry("pipeline", Pipeline)
register, unregister, find = _REGISTRY.register, _REGISTRY.unregister, _REGISTRY.find
PIPELINES: Names[Pipeline] = _REGISTRY.names()
LEARNABLE: Names[Pipeline] = _REGISTRY.names(lambda pipeline: not pipeline.replicable)
"""Those that update the weights once a batch; a stage on several arrays does once for a batch on each."""
OF_SEVERAL: Names[Pipeline] = _REGISTRY.names(lambda pipeline: not pipeline.alone)
"""Those of several arrays."""
