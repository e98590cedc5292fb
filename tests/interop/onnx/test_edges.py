"""What an ONNX graph's values are, and its edges: those of the same network traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxgrad import Accelerator, Emulation
from jaxgrad.costs import step_cost
from jaxgrad.costs.profiling import profile
from jaxgrad.interop.onnx import read
from jaxgrad.programs import Edge
from tests.interop.onnx.models import helper, save, weights
from tests.keys import KEY
from tests.programs.graphs import assert_in_order


class Network(nnx.Module):
    """Two branches put together, a residual, pooling and a head."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.stem = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.one = nnx.Conv(4, 2, (1, 1), rngs=rngs)
        self.other = nnx.Conv(4, 6, (3, 3), rngs=rngs)
        self.block = nnx.Conv(8, 8, (3, 3), rngs=rngs)
        self.head = nnx.Linear(4 * 8, 5, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        h = nnx.relu(self.stem(x))
        h = jnp.concatenate([nnx.relu(self.one(h)), nnx.relu(self.other(h))], -1)
        h = h + nnx.relu(self.block(h))
        h = nnx.max_pool(h, (2, 2), (2, 2))
        return self.head(h.transpose(0, 3, 1, 2).reshape(len(x), -1))


def network(path: Path) -> Path:
    same = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], "stem", **same),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2", "b2"], ["c"], "one"),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["b", "w3", "b3"], ["e"], "other", **same),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("Concat", ["d", "f"], ["g"], axis=1),
        helper.make_node("Conv", ["g", "w4", "b4"], ["h"], "block", **same),
        helper.make_node("Relu", ["h"], ["i"]),
        helper.make_node("Add", ["g", "i"], ["j"]),
        helper.make_node("MaxPool", ["j"], ["k"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["k"], ["l"]),
        helper.make_node("Gemm", ["l", "w5", "b5"], ["y"], "head", transB=1),
    ]
    shapes = [(4, 3, 3, 3), (2, 4, 1, 1), (6, 4, 3, 3), (8, 8, 3, 3), (5, 32)]
    constants = [weights(f"w{index}", *shape) for index, shape in enumerate(shapes, 1)]
    constants += [weights(f"b{index}", shape[0]) for index, shape in enumerate(shapes, 1)]
    return save(path, nodes, constants, {"x": [2, 3, 4, 4]})


def test_the_edges_are_those_of_the_same_network_traced(tmp_path: Path) -> None:
    def run(model: Any, x: Array) -> Array:
        return model(x)

    own = profile(run, Network(nnx.Rngs(0)), jnp.ones((2, 4, 4, 3)))
    graph = read(network(tmp_path)).graph
    assert graph.edges == own.edges
    assert [node.name for node in graph.nodes] == [node.name for node in own.graph.nodes]
    assert Edge("one", "block", 2, 2 * 16 * 2) in graph.edges
    assert Edge("block", "head", 4, 2 * 32) in graph.edges
    assert_in_order(graph)
    back = {(edge.target, edge.source) for edge in graph.backward()}
    assert back == {(edge.source, edge.target) for edge in graph.edges if edge.source != "input"}


def test_attention_s_products_have_two_sources_and_no_weights(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["qkv"], "qkv"),
        helper.make_node("Split", ["qkv"], ["q", "k", "v"], axis=-1, num_outputs=3),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["s"], "scores"),
        helper.make_node("Softmax", ["s"], ["p"]),
        helper.make_node("MatMul", ["p", "v"], ["y"], "mixed"),
    ]
    graph = read(save(tmp_path, nodes, [weights("w", 8, 12)], {"x": [3, 5, 8]}, opset=18)).graph
    edges = [(edge.source, edge.target, edge.words, edge.operand) for edge in graph.edges]
    assert edges == [
        ("input", "qkv", 120, "x"),
        ("qkv", "scores", 60, "x"),
        ("qkv", "scores", 60, "w"),
        ("qkv", "mixed", 60, "w"),
        ("scores", "mixed", 75, "x"),
        ("mixed", "output", 60, "x"),
    ]
    assert [node.gemm.weights for node in graph.nodes] == [True, False, False]
    assert len({edge.part for edge in graph.outgoing("qkv")}) == 3


def test_an_update_writes_weights_alone(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["q"], "q"),
        helper.make_node("Transpose", ["q"], ["qt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "qt"], ["y"], "gram"),
    ]
    gemms = read(save(tmp_path, nodes, [weights("w", 7, 9)], {"x": [2, 5, 7]})).gemms
    emulation = Emulation(Accelerator(3, 4), weight_update="separate")
    layers = {layer.path: layer.phases["sequential"] for layer in step_cost(gemms, emulation, ["sequential"]).layers}
    assert layers["q"]["update"][KEY["w_writes"]] == 7 * 9
    assert "update" not in layers["gram"]
    assert {"dx", "dw"} <= set(layers["gram"])


def test_inputs_that_only_convolve_or_multiply_are_weights(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "head"], ["y"], "head", transB=1),
    ]
    inputs = {"x": [2, 3, 4, 5], "filters": [4, 3, 3, 3], "head": [6, 80]}
    conv, head = read(save(tmp_path, nodes, [], inputs)).gemms
    assert (conv.needs_dx, conv.needs_dw, conv.weights) == (False, True, True)
    assert (head.needs_dx, head.needs_dw, head.weights) == (True, True, True)
    cost = step_cost([conv], Emulation(Accelerator(3, 4)), ["sequential"])
    assert cost.total("sequential")[KEY["macs"]] == 2 * 20 * 27 * 4


def test_inputs_that_are_data_in_one_place_are_data_in_all(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["memory", "wk"], ["k"], "keys"),
        helper.make_node("MatMul", ["x", "wq"], ["q"], "queries"),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["s"], "scores"),
        helper.make_node("MatMul", ["s", "memory"], ["m"], "mixed"),
        helper.make_node("MatMul", ["left", "m"], ["y"], "left"),
    ]
    inputs = {"x": [3, 5, 8], "memory": [3, 6, 8], "left": [7, 5]}
    file = save(tmp_path, nodes, [weights("wk", 8, 4), weights("wq", 8, 4)], inputs)
    graph = read(file).graph
    flags = [(node.gemm.needs_dx, node.gemm.needs_dw, node.gemm.weights) for node in graph.nodes]
    assert flags == [(False, True, True)] * 2 + [(True, True, False), (True, False, False), (True, True, True)]
    mixed = [(edge.source, edge.words, edge.operand) for edge in graph.incoming("mixed")]
    assert mixed == [("input", 144, "w"), ("scores", 90, "x")]


def test_shared_weights(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "one"),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w"], ["c"], "two"),
        helper.make_node("Gemm", ["c", "v", "b"], ["y"], "bias"),  # a bias that is no weights
    ]
    graph = read(save(tmp_path, nodes, [weights("w", 4, 4), weights("v", 4, 4)], {"x": [3, 4]})).graph
    assert graph.tied == (("one", "two"),)
    assert [(edge.source, edge.target, edge.operand) for edge in graph.edges] == [
        ("input", "one", "x"),
        ("one", "two", "x"),
        ("one", "bias", "y"),
        ("two", "bias", "x"),
        ("bias", "output", "x"),
    ]
