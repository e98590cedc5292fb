"""Which GEMM of a step feeds which, and what crosses between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from jaxgrad.programs.gemms import LayerGemm

INPUT, OUTPUT = ENDS = "input", "output"
Operand = Literal["x", "w", "y"]


@dataclass(frozen=True)
class Node:
    """One call of a layer, or one product that no layer poses.

    Args:
        name: unique; the layer's path, numbered where that has several, or is the name of an end.
        gemm: what this call asks of the array.
    """

    name: str
    gemm: LayerGemm


@dataclass(frozen=True)
class Edge:
    """A tensor that goes from one node to another in the forward pass.

    Work beside the array lives with the last layer that it needs: a ReLU with the layer before it, a residual addition
    with the last layer of its block. What such work makes is what crosses; it crosses once to each node that reads it.

    Args:
        source: the node with which the tensor lives, or ``INPUT``: what the step is given as data.
        target: the node that reads it, or ``OUTPUT``: the loss of a training step, or a function's results.
        tensor: its number; edges of one number and part carry the same elements.
        words: its elements, in all calls of a step; as the source hands them on or as the target reads them, whichever
            is less: after pooling, before a broadcast and before a convolution lays out patches.
        operand: what the target does with it: its product's X, its product's W (activations, as in attention), or
            ``y``, work after the product, such as a residual addition.
        carried: whether it goes from one round of a loop to the next. Such an edge may lead backwards or to its source.
        part: which slice of the tensor; 0 for all of it.
    """

    source: str
    target: str
    tensor: int
    words: int
    operand: Operand = "x"
    carried: bool = False
    part: int = 0


@dataclass(frozen=True)
class Graph:
    """The GEMMs of a step and the tensors between them.

    ``nodes`` are in the order in which the forward pass computes them, which is topological: every edge that is not
    ``carried`` leads forwards.

    Args:
        nodes: together they are the step's GEMMs.
        edges: of the forward pass, by target.
        tied: names of nodes whose W is the same tensor, a group a tensor.

    Two layers around a ReLU, on four rows:

    >>> import jax, jax.numpy as jnp
    >>> from jaxgrad import profile
    >>> def loss(params, x):
    ...     return jnp.sum(jax.nn.relu(x @ params["up"]) @ params["down"])
    >>> params = {"up": jnp.ones((8, 16)), "down": jnp.ones((16, 2))}
    >>> graph = profile(jax.value_and_grad(loss), params, jnp.ones((4, 8))).graph
    >>> [edge.words for edge in graph.edges]
    [32, 64, 1]
    >>> first, second = (node.name for node in graph.nodes)
    >>> graph.crossing([first], [second])
    64
    >>> [edge.words for edge in graph.backward()]
    [1, 64]
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    tied: tuple[tuple[str, ...], ...] = ()

    def incoming(self, name: str) -> tuple[Edge, ...]:
        """What a node, or ``OUTPUT``, reads."""
        return tuple(edge for edge in self.edges if edge.target == name)

    def outgoing(self, name: str) -> tuple[Edge, ...]:
        """What lives with a node, or is ``INPUT``, and others read."""
        return tuple(edge for edge in self.edges if edge.source == name)

    def crossing(self, sources: Collection[str], targets: Collection[str]) -> int:
        """Words that go from some nodes to others in the forward pass, each tensor once, and where all of it goes, no
        slice of it on top."""
        words: dict[int, dict[int, int]] = {}
        for edge in self.edges:
            if edge.source in sources and edge.target in targets:
                parts = words.setdefault(edge.tensor, {})
                parts[edge.part] = max(parts.get(edge.part, 0), edge.words)
        return sum(parts.get(0) or sum(parts.values()) for parts in words.values())

    def backward(self) -> tuple[Edge, ...]:
        """The edges of the backward pass, last layer first: each tensor's cotangent goes the way back, as many words.

        There is one where the target's product, or for ``y`` the source, has a gradient that needs it.
        """
        turned = (
            replace(edge, source=edge.target, target=edge.source)
            for edge in reversed(self.edges)
            if self._differentiated(edge)
        )
        return tuple(turned)

    def as_dict(self) -> list[dict[str, Any]]:
        """The edges, as JSON has them."""
        return [asdict(edge) for edge in self.edges]

    def _differentiated(self, edge: Edge) -> bool:
        source, target = self._gemms.get(edge.source), self._gemms.get(edge.target)
        if target is not None and edge.operand != "y":
            return target.needs_dw if edge.operand == "w" else target.needs_dx
        return source is not None and (source.needs_dx or source.needs_dw)

    @cached_property
    def _gemms(self) -> dict[str, LayerGemm]:
        return {node.name: node.gemm for node in self.nodes}
