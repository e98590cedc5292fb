"""FlexAttention: two products, whatever its own graphs do to the scores between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.interop.onnx import read
from jaxgrad.interop.onnx.reading import Reading
from tests.interop.onnx.models import graph_inside, helper, onnx, save, weights
from tests.refusals import Refusal, assert_refused

PREVIEW = "ai.onnx.preview"
pytestmark = pytest.mark.skipif(
    not (onnx.defs.has("FlexAttention", PREVIEW) and onnx.defs.has("Attention")), reason="this onnx has none"
)
FLOAT = onnx.TensorProto.FLOAT


def flexible(tmp_path: Path, *, behind: bool = True, **graphs: Any) -> Path:
    """2 examples, 6 heads of queries that share 3 of keys and values; a layer before it, and one behind it."""
    nodes = [
        helper.make_node("MatMul", ["x", "b"], ["bias"], "bias"),
        helper.make_node("FlexAttention", ["q", "k", "v"], ["a"], "mix", domain=PREVIEW, **graphs),
    ]
    if behind:
        nodes.append(helper.make_node("MatMul", ["a", "o"], ["y"], "out"))
    inputs = {"q": [2, 6, 5, 8], "k": [2, 3, 7, 8], "v": [2, 3, 7, 4], "x": [5, 2]}
    return save(tmp_path, nodes, [weights("o", 4, 9), weights("b", 2, 7)], inputs, opset=23, others=[PREVIEW])


def modifier(kind: str, *others: str) -> Any:
    return graph_inside([helper.make_node(kind, ["s", *others], ["t"], "inner")], [("s", FLOAT)], [("t", FLOAT)])


def macs(reading: Reading) -> dict[str, int]:
    return {gemm.path: gemm.times * gemm.gemm.macs for gemm in reading.gemms}


@pytest.mark.parametrize("graphs", [{}, {"prob_mod": modifier("Relu")}, {"score_mod": modifier("Add", "bias")}])
def test_scores_and_values_by_head(graphs: dict[str, Any], tmp_path: Path) -> None:
    reading = read(flexible(tmp_path, **graphs))
    every_score = 2 * 6 * 5 * 7
    assert macs(reading) == {
        "bias": 5 * 2 * 7, "mix.scores": every_score * 8, "mix.values": every_score * 4, "out": 2 * 6 * 5 * 4 * 9
    }  # fmt: skip
    assert reading.notes == []
    learned = "score_mod" in graphs  # a bias of the scores, whose gradient comes through their softmax
    assert [gemm.needs_dx for gemm in reading.gemms][1:] == [False, learned, learned]
    edges = {(edge.source, edge.target) for edge in reading.graph.edges}
    assert (("bias", "mix.scores") in edges or ("bias", "mix.values") in edges) == ("score_mod" in graphs)


def test_a_graph_with_a_product_of_its_own_is_named(tmp_path: Path) -> None:
    file = flexible(tmp_path, behind=False, score_mod=modifier("MatMul", "bias"))
    reading = read(file)
    assert list(macs(reading)) == ["bias"]
    assert [note.split(":")[0] for note in reading.notes] == ["FlexAttention (mix)"]
    assert_refused(Refusal(lambda: read(file, strict=True), "model", "FlexAttention (mix)", "give one without"))
