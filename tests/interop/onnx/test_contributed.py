"""ONNX Runtime's attention against MACs counted from its definition, and support vector machines against theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.interop.onnx import read
from jaxgrad.interop.onnx.reading import Reading
from tests.interop.onnx.models import helper, onnx, save, weights
from tests.refusals import Refusal, assert_refused

attentive = pytest.mark.skipif(not onnx.defs.has("Attention"), reason="this onnx has no Attention")


def own(kind: str, inputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, ["a"], "mix", domain="com.microsoft", **attributes)


def behind(tmp_path: Path, node: Any, inputs: dict[str, list[int]], *constants: Any, opset: int = 17) -> Reading:
    """An attention, and a dense layer behind it, which needs the attention's shape."""
    nodes = [node, helper.make_node("MatMul", ["a", "o"], ["y"], "out")]
    return read(save(tmp_path, nodes, [*constants, weights("o", 12, 7)], inputs, opset=opset, others=["com.microsoft"]))


def macs(reading: Reading) -> dict[str, int]:
    return {gemm.path: gemm.times * gemm.gemm.macs for gemm in reading.gemms}


@attentive
@pytest.mark.parametrize("opset", [12, 17, 18])
def test_merged_weights_and_three_heads(opset: int, tmp_path: Path) -> None:
    """2 examples of 5 tokens of 8 features; 12 features in heads of 4."""
    node = own("Attention", ["x", "w", "b"], num_heads=3)
    reading = behind(tmp_path, node, {"x": [2, 5, 8]}, weights("w", 8, 36), weights("b", 36), opset=opset)
    every_score = 2 * 3 * 5 * 5
    assert macs(reading) == {
        "mix.qkv": 2 * 5 * 8 * 36,
        "mix.scores": every_score * 4,
        "mix.values": every_score * 4,
        "out": 2 * 5 * 12 * 7,
    }
    assert reading.notes == []
    needs = {gemm.path: (gemm.needs_dx, gemm.needs_dw, gemm.weights) for gemm in reading.gemms}
    assert needs["mix.qkv"] == (False, True, True)
    assert needs["mix.scores"] == needs["mix.values"] == (True, True, False)
    assert {(edge.source, edge.target, edge.words) for edge in reading.graph.edges} >= {
        ("mix.qkv", "mix.scores", 120),
        ("mix.qkv", "mix.values", 120),
        ("mix.values", "out", 120),
    }


@attentive
def test_queries_keys_and_values_apart_with_a_past(tmp_path: Path) -> None:
    """Cross attention: 5 queries, 7 keys after 4 of the past."""
    inputs = {"q": [2, 5, 12], "k": [2, 7, 12], "v": [2, 7, 12], "bias": [2, 3, 5, 11]}
    inputs |= {"pk": [2, 3, 4, 4], "pv": [2, 3, 4, 4]}
    node = own("MultiHeadAttention", ["q", "k", "v", "", "", "bias", "pk", "pv"], num_heads=3)
    every_score = 2 * 3 * 5 * (4 + 7)
    assert macs(behind(tmp_path, node, inputs)) == {
        "mix.scores": every_score * 4, "mix.values": every_score * 4, "out": 2 * 5 * 12 * 7
    }  # fmt: skip


@attentive
@pytest.mark.parametrize("packed", [False, True])
def test_six_heads_share_two_of_keys_and_values(packed: bool, tmp_path: Path) -> None:
    names, inputs = ["q", "k", "v"], {"q": [2, 5, 12], "k": [2, 5, 4], "v": [2, 5, 4]}
    if packed:
        names, inputs = ["q", "", ""], {"q": [2, 5, 20]}
    inputs |= {"pk": [2, 2, 3, 2], "pv": [2, 2, 3, 2], "lengths": [2], "total": [1]}
    node = own("GroupQueryAttention", [*names, "pk", "pv", "lengths", "total"], num_heads=6, kv_num_heads=2)
    every_score = 2 * 6 * 5 * (3 + 5)
    assert macs(behind(tmp_path, node, inputs)) == {
        "mix.scores": every_score * 2, "mix.values": every_score * 2, "out": 2 * 5 * 12 * 7
    }  # fmt: skip


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        (own("MultiHeadAttention", ["q", "kv"], num_heads=3), {"q": [2, 5, 12], "kv": [2, 7, 3, 2, 4]}),
        (
            own("Attention", ["q", "kv", "", "", "past"], num_heads=3),
            {"q": [2, 5, 12], "kv": [12, 36], "past": [2, 2, 3, 4, 4]},
        ),
        (own("Attention", ["q", "kv"], num_heads=3, qkv_hidden_sizes=[12, 12, 6]), {"q": [2, 5, 12], "kv": [12, 30]}),
    ],
)  # fmt: skip
def test_other_forms_are_named(node: Any, inputs: dict[str, list[int]], tmp_path: Path) -> None:
    nodes = [node, helper.make_node("MatMul", ["q", "o"], ["y"], "out")]
    reading = read(save(tmp_path, nodes, [weights("o", 12, 7)], inputs, others=["com.microsoft"]))
    assert [gemm.path for gemm in reading.gemms] == ["out"]
    assert [note.split(":")[0] for note in reading.notes] == [f"{node.op_type} (mix)"]


def machine(tmp_path: Path, kind: str, kernel: str, vectors: int, outputs: int) -> Path:
    """A machine of 5 features."""
    attributes: dict[str, Any] = {"coefficients": [0.5] * (outputs * (vectors or 5))}
    if vectors:
        attributes["support_vectors"] = [1.0] * (vectors * 5)
    names = ["label", "y"] if kind == "SVMClassifier" else ["y"]
    node = helper.make_node(kind, ["x"], names, "svm", domain="ai.onnx.ml", kernel_type=kernel, **attributes)
    return save(tmp_path, [node], [], {"x": [3, 5]}, others=["ai.onnx.ml"])


@pytest.mark.parametrize("kind", ["SVMRegressor", "SVMClassifier"])
@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
def test_a_kernel_of_products_and_what_comes_of_it(kind: str, kernel: str, tmp_path: Path) -> None:
    """3 rows of 5 features with 9 support vectors, and of these two combinations."""
    reading = read(machine(tmp_path, kind, kernel, 9, 2))
    assert macs(reading) == {"svm.kernel": 3 * 5 * 9, "svm.decision": 3 * 9 * 2}
    assert not any(gemm.needs_dx or gemm.needs_dw for gemm in reading.gemms)
    edges = [(edge.source, edge.target, edge.words) for edge in reading.graph.edges]
    assert edges == [("input", "svm.kernel", 15), ("svm.kernel", "svm.decision", 27), ("svm.decision", "output", 6)]


def test_without_support_vectors_it_is_a_linear_model(tmp_path: Path) -> None:
    assert macs(read(machine(tmp_path, "SVMRegressor", "LINEAR", 0, 1))) == {"svm": 3 * 5 * 1}


def test_a_kernel_that_onnx_does_not_have_is_named(tmp_path: Path) -> None:
    file = machine(tmp_path, "SVMRegressor", "LAPLACE", 9, 1)
    assert_refused(Refusal(lambda: read(file), "model", "SVMRegressor (svm)", "give one with products"))


def test_coefficients_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    file = machine(tmp_path, "SVMRegressor", "LINEAR", 9, 1)
    model = onnx.load(str(file))
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "coefficients":
            attribute.floats.append(1.0)
    onnx.save(model, str(file))
    assert_refused(Refusal(lambda: read(file), "model", "10 coefficients and 9 support vectors", "of 5 features"))
