"""How late each layer's gradients are where a pipeline of arrays trains a network, and which weights a batch meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from jaxgrad.array.emulation import Emulation
from jaxgrad.pipelines import Chain, network, partitions
from jaxgrad.pipelines.pipeline import find
from jaxgrad.pipelines.plans import plans
from jaxgrad.programs import Graph
from jaxgrad.training import defaults
from jaxgrad.transform.rules import module_of


@dataclass(frozen=True)
class Delays:
    """Delays of a network's layers.

    Args:
        layers: by how many updates the weights are old that a batch meets, by layer in the order of the forward pass.
        weights: which weights it meets on the way back, one of ``pipelines.versions.WEIGHTS``.
        beta: of ``ema``, one of ``pipelines.versions.BETAS``.
    """

    layers: Mapping[str, int]
    weights: str = defaults.WEIGHTS
    beta: str = defaults.BETA

    def __bool__(self) -> bool:
        """Whether any layer has one."""
        return any(self.layers.values())

    def by_leaf(self, params: Any) -> Any:
        """The delay of each parameter: that of its layer.

        A parameter of no layer with a product (a norm's, say) has the delay of the layer that shares the longest part
        of its path, the first such in the forward pass.

        >>> params = {"stem": {"kernel": 0.0}, "block": {"norm": {"scale": 0.0}, "up": {"bias": 0.0}}}
        >>> Delays({"stem": 4, "block.down": 2, "block.up": 0}).by_leaf(params)
        {'block': {'norm': {'scale': 2}, 'up': {'bias': 0}}, 'stem': {'kernel': 4}}
        """
        layers = [(layer.split("."), delay) for layer, delay in self.layers.items()]

        def delay(path: tuple[Any, ...], leaf: Any) -> int:
            names = jax.tree_util.keystr(path, simple=True, separator=".").split(".")
            if "_on_array" in names:  # a parameter that a layer has for its estimator
                names = names[names.index("parameters") + 1 :]
            return max(layers, key=lambda layer: _shared(layer[0], names))[1]  # of equal ones the first

        return jax.tree_util.tree_map_with_path(delay, params)


def planned(
    graph: Graph,
    emulation: Emulation,
    batch: int,
    pipeline: str,
    *,
    processors: int,
    weights: str,
    time: str,
    beta: str = defaults.BETA,
) -> Delays:
    """The delays of a network that is laid out on arrays as ``jaxgrad pipeline`` does it.

    Args:
        graph: of a training step at the batch size.
        emulation: each array, and the schedule of dX and dW where both are on one.
        batch: images a step.
        pipeline: the name of one.
        processors: arrays.
        weights, beta: see ``Delays``.
        time: what the partition balances, ``cycles`` or ``macs``.

    Raises:
        InputError: there are more arrays than atoms to distribute, or the graph is no chain.
    """
    steps, record = network(graph, emulation, time=time), find(pipeline)
    if record.flushed:  # a batch ends before the next one's weights are there
        if not record.replicates:
            partitions(Chain(steps, record.grain), processors)
        late = [0] * len(steps.layers)
    else:
        (plan,) = plans(lambda _: steps, batch, [processors], [record]).values()
        late = [plan.delay(number) for number in range(len(steps.layers))]
    if weights == "vertical_sync":
        late = [max(late)] * len(late)
    layers: dict[str, int] = {}
    for layer, delay in zip(steps.layers, late, strict=True):
        layers.setdefault(module_of(layer.name), delay)  # of one that is called again, that of the first call
    return Delays(layers, weights, beta)


def _shared(one: list[str], other: list[str]) -> int:
    """How many names two paths share from the start."""
    return next(
        (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
