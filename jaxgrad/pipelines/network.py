"""A network's training step as a pipeline sees it: what each layer's three products take, and what goes between layers.

Times are clock cycles of the array, from ``costs.step_cost`` for any schedule, memory and precision, or MACs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError, one_of
from jaxgrad.costs import step_cost, time_cycles
from jaxgrad.hardware import Machine
from jaxgrad.programs import Edge, Graph, LayerGemm
from jaxgrad.programs.graph import INPUT, OUTPUT

TIMES: tuple[str, ...] = ("cycles", "macs")
"""What a task's time is counted in: clock cycles of the array, or one unit a MAC."""


@dataclass(frozen=True)
class Layer:
    """One layer's products, forward and backward.

    Args:
        name: of its node in the graph.
        forward: time of Y = X W.
        halves: times of the two halves of dX = dY W^T, each a GEMM of half of the batch's rows; of a single row one
            alone, and none where dX is not wanted.
        dx: time of dX whole.
        dw: time of dW = X^T dY; 0 where it is not wanted.
        backward: time of both on one array: under its schedule, or one after the other where that is less.
        weight_words: of W; 0 of a product of activations.
        saved_words: of X, which waits from the forward pass for dW.
        update: time of the update of W, once a batch, where dW is.
    """

    name: str
    forward: int
    halves: tuple[int, ...]
    dx: int
    dw: int
    backward: int
    weight_words: int
    saved_words: int
    update: int = 0

    @property
    def total(self) -> int:
        """All of it on one array."""
        return self.forward + self.backward + self.update


@dataclass(frozen=True)
class Tensor:
    """What one layer makes and others read.

    Args:
        number: slices of one tensor have the same; together they are no more than the whole.
        part: which slice; 0 for all of it.
        words: its elements.
        source: the layer with which it lives; None for the step's input.
        target: the layer that reads it; None for the loss.
        operand: ``x``, ``w`` or ``y``, see ``programs.Edge``.
        returns: whether its cotangent goes the way back.
    """

    number: int
    part: int
    words: int
    source: int | None
    target: int | None
    operand: str
    returns: bool


@dataclass(frozen=True)
class Network:
    """A training step on one batch.

    Args:
        layers: in the order in which the forward pass computes them.
        tensors: between them.
        time: what times are counted in.
    """

    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    time: str

    @property
    def total(self) -> int:
        """Time of the step on one array."""
        return sum(layer.total for layer in self.layers)

    @property
    def weight_words(self) -> int:
        return sum(layer.weight_words for layer in self.layers)

    @property
    def saved_words(self) -> int:
        return sum(layer.saved_words for layer in self.layers)


def network(
    graph: Graph,
    emulation: Emulation,
    *,
    machine: Machine | None = None,
    time: str = "cycles",
    update_cycles: bool = False,
) -> Network:
    """The layers of a step's graph with their times and words.

    Args:
        graph: of a training step, from ``flax.step_work`` or ``profile``.
        emulation: the array, and the schedule of dX and dW where both are on one array.
        machine: what is around the array, see ``costs.step_cost``.
        time: ``cycles``, or ``macs`` for a unit a MAC.
        update_cycles: whether the update of weights is a task, of R cycles a tile (``array.layers.update_cycles``) and
            what its transfers take more than these; else it takes no time.

    Raises:
        InputError: there is no layer; an update is to take time that is counted in MACs; or a tensor is carried from
            one round of a loop to the next between layers, so that the graph can't be cut into a chain.

    >>> import jax, jax.numpy as jnp
    >>> from jaxgrad import Accelerator, profile
    >>> def loss(params, x):
    ...     return jnp.sum(jax.nn.relu(x @ params["up"]) @ params["down"])
    >>> params = {"up": jnp.ones((8, 16)), "down": jnp.ones((16, 2))}
    >>> graph = profile(jax.value_and_grad(loss), params, jnp.ones((4, 8))).graph
    >>> first, second = network(graph, Emulation(Accelerator(4, 4)), time="macs").layers
    >>> first.forward, first.halves, first.dw, first.weight_words, first.saved_words
    (512, (), 512, 128, 32)
    >>> second.forward, second.halves, second.dw
    (128, (64, 64), 128)
    """
    one_of("time", time, TIMES)
    if update_cycles and time == "macs":
        raise InputError("update_cycles", True, "count time in cycles: an update of weights has no MACs")
    if not graph.nodes:
        raise InputError("model", None, "give one that has a layer", problem="got a step without a product")
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    _check_chain(graph, places)
    gemms = [node.gemm for node in graph.nodes]
    spent = _macs(gemms) if time == "macs" else _cycles(gemms, emulation, machine, update_cycles)
    layers = tuple(_layer(node.name, node.gemm, times) for node, times in zip(graph.nodes, spent, strict=True))
    returning = {(edge.target, edge.source, edge.tensor, edge.part, edge.operand) for edge in graph.backward()}
    tensors = tuple(
        Tensor(
            edge.tensor,
            edge.part,
            edge.words,
            places.get(edge.source),
            places.get(edge.target),
            edge.operand,
            (edge.source, edge.target, edge.tensor, edge.part, edge.operand) in returning,
        )
        for edge in graph.edges
    )
    return Network(layers, tensors, time)


@dataclass(frozen=True)
class _Times:
    forward: int
    halves: tuple[int, ...]
    dx: int
    dw: int
    both: int
    update: int = 0


def _check_chain(graph: Graph, places: Mapping[str, int]) -> None:
    for edge in graph.edges:
        if edge.carried and edge.source != edge.target and {edge.source, edge.target} <= set(places):
            problem = f"got a loop that carries {_named(edge)}"
            raise InputError("model", None, "give one whose layers form a chain: unroll the loop", problem=problem)


def _named(edge: Edge) -> str:
    ends = {INPUT: "the input", OUTPUT: "the loss"}
    return f"a tensor from {ends.get(edge.source, edge.source)} to {ends.get(edge.target, edge.target)}"


def _layer(name: str, gemm: LayerGemm, times: _Times) -> Layer:
    sizes = gemm.gemm.sizes
    return Layer(
        name,
        times.forward,
        times.halves,
        times.dx,
        times.dw,
        min(times.both, times.dx + times.dw),
        weight_words=gemm.times * sizes["k"] * sizes["n"] if gemm.weights else 0,
        saved_words=gemm.times * gemm.input_words if gemm.needs_dw else 0,
        update=times.update,
    )


def _halved(gemm: Gemm) -> list[Gemm]:
    """GEMMs of half of the rows each; one alone where there is a single row."""
    first = -(-gemm.batch // 2)
    return [replace(gemm, batch=rows) for rows in (first, gemm.batch - first) if rows]


def _macs(gemms: Iterable[LayerGemm]) -> list[_Times]:
    found = []
    for gemm in gemms:
        macs = gemm.times * gemm.gemm.macs
        halves = tuple(gemm.times * half.macs for half in _halved(gemm.gemm)) if gemm.needs_dx else ()
        dx, dw = macs * gemm.needs_dx, macs * gemm.needs_dw
        found.append(_Times(macs + gemm.recomputed * gemm.gemm.macs, halves, dx, dw, dx + dw))
    return found


def _cycles(
    gemms: Sequence[LayerGemm], emulation: Emulation, machine: Machine | None, update_cycles: bool
) -> list[_Times]:
    """From one costing of all that each layer could ask for: as it is, dX or dW alone, and each half of dX."""
    asked: list[LayerGemm] = []

    def ask(layer: LayerGemm, **changes: Any) -> int | None:
        changed = replace(layer, path=str(len(asked)), **changes)
        if not (changed.needs_dx or changed.needs_dw):
            return None
        asked.append(changed)
        return len(asked) - 1

    questions = [
        (
            ask(replace(gemm, needs_dx=True)) if not (gemm.needs_dx or gemm.needs_dw) else ask(gemm),
            ask(gemm, needs_dw=False),
            ask(gemm, needs_dx=False),
            [ask(gemm, needs_dw=False, gemm=half, x_words=0) for half in _halved(gemm.gemm)] if gemm.needs_dx else [],
        )
        for gemm in gemms
    ]
    schedule = emulation.schedule.name
    if update_cycles:
        emulation = replace(emulation, weight_update="separate")
    cost = step_cost(asked, emulation, [emulation.schedule], machine=machine, update_cycles=update_cycles)
    phases = [layer.phases[schedule] for layer in cost.layers]

    def backward(place: int | None) -> int:
        return (
            0
            if place is None
            else sum(time_cycles(counts) for name, counts in phases[place].items() if name not in ("forward", "update"))
        )

    found = []
    for gemm, (whole, dx, dw, halves) in zip(gemms, questions, strict=True):
        assert whole is not None
        both = backward(whole) if gemm.needs_dx or gemm.needs_dw else 0
        forward = time_cycles(phases[whole]["forward"])
        update = time_cycles(phases[whole]["update"]) if "update" in phases[whole] else 0
        found.append(_Times(forward, tuple(map(backward, halves)), backward(dx), backward(dw), both, update))
    return found
