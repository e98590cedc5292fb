"""Every network's graph: all of it connected, in order, and of the same GEMMs as its records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax import Array

import jaxgrad_models
from jaxgrad.costs.profiling import profile
from jaxgrad.flax import step_work
from jaxgrad.programs import Graph, LayerGemm
from jaxgrad_models.vit import Block
from tests.programs.graphs import assert_in_order, named
from tests.programs.test_whole import NAMES, Remat


def bag(gemms: list[LayerGemm]) -> Counter[LayerGemm]:
    """By record, how many GEMMs in the first place and how many anew."""
    total: Counter[LayerGemm] = Counter()
    for gemm in gemms:
        total[replace(gemm, times=1, recomputed=0)] += gemm.times
        total[replace(gemm, times=0, recomputed=1)] += gemm.recomputed
    return +total


@pytest.mark.parametrize("name", NAMES)
def test_every_network(name: str) -> None:
    shape = jaxgrad_models.INPUT_SHAPES.get(name, (8, 8, 1))
    model, images = jaxgrad_models.abstract(name, input_shape=shape), jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    work = step_work(model, images, optimizer=optax.sgd(0.1))
    graph = work.graph
    assert work.edges is graph.edges
    assert bag([node.gemm for node in graph.nodes]) == bag(work.gemms)
    assert_in_order(graph)
    assert not any(edge.carried for edge in graph.edges)
    assert graph.tied == ()
    last = graph.nodes[-1].name
    assert [(edge.source, edge.words) for edge in graph.incoming("output")] == [(last, 1)]
    back = {(edge.target, edge.source) for edge in graph.backward()}
    assert back == {(edge.source, edge.target) for edge in graph.edges if edge.source != "input"}
    for node in graph.nodes:  # what a product reads is its X, in parts that were put together or whole
        read = [edge.words for edge in graph.incoming(node.name) if edge.operand == "x"]
        assert sum(read) == node.gemm.times * node.gemm.input_words, node.name


def test_a_recurrent_network_s_state_is_carried() -> None:
    """28 rounds of 2 x 100: but in the first, the state comes from the round before; the last one goes to the head."""
    model, images = jaxgrad_models.abstract("irnn"), jax.ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)
    edges = step_work(model, images).graph.edges
    assert [(edge.source, edge.target, edge.words, edge.operand, edge.carried) for edge in edges] == [
        ("input", "projection", 2 * 28 * 28, "x", False),
        ("projection", "recurrent", 28 * 200, "y", False),
        ("recurrent", "recurrent", 27 * 200, "x", True),
        ("recurrent", "head", 200, "x", False),
        ("head", "output", 1, "x", False),
    ]


def crossings(graph: Graph) -> list[int]:
    """Words that cross between each node and the next."""
    names = [node.name for node in graph.nodes]
    return [graph.crossing(names[:cut], names[cut:]) for cut in range(1, len(names))]


def test_a_residual_network_s_stream_crosses_once() -> None:
    model, images = jaxgrad_models.abstract("resnet20"), jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    stage = [32 * 32 * 16, 16 * 16 * 32, 8 * 8 * 64]
    within, between = [2 * words for words in stage], stage
    wanted = [between[0], within[0]] * 3
    # The first block of the next stage adds every fourth pixel of the stream, which is what its first layer reads.
    wanted += [between[0], stage[0] // 4 + stage[1], *[between[1], within[1]] * 2]
    wanted += [between[1], stage[1] // 4 + stage[2], *[between[2], within[2]] * 2, 64]
    assert crossings(step_work(model, images).graph) == wanted


def test_a_transformer_s_block() -> None:
    work = step_work(Block(6, 2, rngs=nnx.Rngs(0)), jnp.ones((2, 5, 6)), loss=jnp.sum)
    graph = named(work.graph, "qkvsmoud")  # query, key, value, scores, mixed values, out, up, down
    wanted = {
        *[("input", layer, 60, "x") for layer in "qkv"],
        *[("input", "o", 60, "y"), ("q", "s", 60, "x"), ("k", "s", 60, "w"), ("o", "u", 60, "x"), ("o", "d", 60, "y")],
        *[("u", "d", 240, "x"), ("m", "o", 60, "x"), ("d", "output", 1, "x")],
    }
    found = {(edge.source, edge.target, edge.words, edge.operand) for edge in graph.edges}
    mixed = (
        {("s", "m", 100, "x"), ("v", "m", 60, "w")},
        {("s", "m", 100, "w"), ("v", "m", 60, "x")},
    )  # as einsum puts it
    assert found - wanted in mixed
    assert wanted <= found


class Twice(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.inner, self.outer = nnx.Linear(4, 4, rngs=rngs), nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.inner(jnp.tanh(self.outer(jnp.tanh(self.inner(jnp.tanh(self.inner(x)))))))


def test_a_layer_that_is_called_often_is_a_node_a_call() -> None:
    work = step_work(Twice(nnx.Rngs(0)), jnp.ones((3, 4)))
    graph = work.graph
    assert [node.name for node in graph.nodes] == ["inner#1", "inner#2", "outer", "inner#3"]
    assert graph.tied == (("inner#1", "inner#2", "inner#3"),)
    assert bag([node.gemm for node in graph.nodes]) == bag(work.gemms)
    ends = [(edge.source, edge.target, edge.words) for edge in graph.edges]
    assert ends == [
        ("input", "inner#1", 12),
        ("inner#1", "inner#2", 12),
        ("inner#2", "outer", 12),
        ("outer", "inner#3", 12),
        ("inner#3", "output", 1),
    ]


def test_what_checkpoint_runs_anew_is_no_other_node() -> None:
    model, x = Remat(nnx.Rngs(0)), jnp.ones((2, 5, 6))
    work = step_work(model, x)
    assert bag([node.gemm for node in work.graph.nodes]) == bag(work.gemms)
    assert {node.gemm.recomputed / node.gemm.times for node in work.graph.nodes} == {0, 1}
    plain = step_work(model.block, x)
    assert [replace(edge, tensor=0) for edge in work.graph.edges] == [
        replace(edge, tensor=0, source=_inside(edge.source), target=_inside(edge.target)) for edge in plain.edges
    ]


def _inside(name: str) -> str:
    return name if name in ("input", "output") else f"block.{name}"


def test_a_profile_of_a_model_has_the_same_edges() -> None:
    model, x = Block(6, 2, rngs=nnx.Rngs(0)), jnp.ones((2, 5, 6))

    def loss(model: Any, x: Array) -> Array:
        return (model(x) ** 2).sum()

    own = profile(nnx.value_and_grad(loss), model, x)
    assert own.edges == step_work(model, x, loss=lambda out: (out**2).sum()).edges


class Ends(nnx.Module):
    """Its layers are called as a graph's ends are."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.input, self.output = nnx.Linear(8, 6, rngs=rngs), nnx.Linear(6, 4, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.output(nnx.relu(self.input(x)))


def test_layers_called_input_and_output_are_not_the_ends() -> None:
    graph = step_work(Ends(nnx.Rngs(0)), jnp.ones((2, 8)), optimizer=optax.sgd(0.1)).graph
    assert [node.name for node in graph.nodes] == ["input#1", "output#1"]
    edges = [(edge.source, edge.target, edge.words) for edge in graph.edges]
    assert edges[:2] == [("input", "input#1", 16), ("input#1", "output#1", 12)]
    assert {edge.target for edge in graph.edges[2:]} == {"output"}
