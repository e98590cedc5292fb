"""ONNX's Attention, against the products that its own definition is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.array.gemm import Gemm
from jaxgrad.interop.onnx import read
from jaxgrad.interop.onnx.attention import Attention, attention
from tests.interop.onnx.models import helper, onnx, save, weights
from tests.refusals import Refusal, assert_refused

pytestmark = pytest.mark.skipif(not onnx.defs.has("Attention"), reason="this onnx has no Attention")


@pytest.mark.parametrize("past", [0, 3])
def test_heads_side_by_side_and_in_a_row_are_the_same(past: int) -> None:
    expected = Attention(Gemm(5, 8, 7 + past), Gemm(5, 7 + past, 4), 2 * 6)
    assert attention("a", {}, (2, 6, 5, 8), (2, 3, 7, 8), (2, 3, 7, 4), past) == expected
    heads = {"q_num_heads": 6, "kv_num_heads": 3}
    assert attention("a", heads, (2, 5, 48), (2, 7, 24), (2, 7, 12), past) == expected


def test_a_layer_of_it(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "wq"], ["q"], "q"),
        helper.make_node("MatMul", ["x", "wk"], ["k"], "k"),
        helper.make_node("Attention", ["q", "k", "x"], ["y"], "mix", q_num_heads=2, kv_num_heads=2),
    ]
    graph = read(save(tmp_path, nodes, [weights("wq", 8, 8), weights("wk", 8, 8)], {"x": [3, 5, 8]}, opset=23)).graph
    gemms = [node.gemm for node in graph.nodes][2:]
    assert [(gemm.path, gemm.gemm, gemm.times) for gemm in gemms] == [
        ("mix.scores", Gemm(5, 4, 5), 6),
        ("mix.values", Gemm(5, 5, 4), 6),
    ]
    flags = [(gemm.needs_dx, gemm.needs_dw, gemm.weights) for gemm in gemms]
    assert flags == [(True, True, False), (True, False, False)]
    edges = [(edge.source, edge.target, edge.words, edge.operand) for edge in graph.edges]
    assert edges == [
        ("input", "q", 120, "x"),
        ("input", "k", 120, "x"),
        ("q", "mix.scores", 120, "x"),
        ("k", "mix.scores", 120, "w"),
        ("input", "mix.values", 120, "w"),
        ("mix.scores", "mix.values", 150, "x"),
        ("mix.values", "output", 120, "x"),
    ]


def test_it_multiplies_as_much_as_its_definition(tmp_path: Path) -> None:
    """The operator's body in ONNX, laid out."""
    from onnx import inliner

    node = helper.make_node("Attention", ["x", "k", "v"], ["y"], "a")
    inputs = {"x": [2, 4, 5, 8], "k": [2, 4, 7, 8], "v": [2, 4, 7, 3]}
    file = save(tmp_path, [node], [], inputs, opset=23)
    counted = sum(gemm.times * gemm.gemm.macs for gemm in read(file).gemms)
    inside = inliner.inline_selected_functions(onnx.load(str(file)), [("", "Attention")], inline_schema_functions=True)
    onnx.save(inside, str(file))
    assert all(node.op_type != "Attention" for node in inside.graph.node)
    assert counted == sum(gemm.times * gemm.gemm.macs for gemm in read(file).gemms) == 2 * 4 * 5 * 7 * (8 + 3)


@pytest.mark.parametrize(
    ("q", "k", "v"),
    [
        ((2, 6, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8)),
        ((2, 6, 5, 8), (2, 3, 7, 9), (2, 3, 7, 8)),
        ((2, 6, 5, 8), (2, 3, 7, 8), (2, 3, 6, 8)),
        ((2, 5, 48), (2, 7, 24), (2, 7, 24)),
    ],
)
def test_refusals(q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...]) -> None:
    assert_refused(Refusal(lambda: attention("mix", {}, q, k, v), "model", f"queries of {q}", "give what fits"))
