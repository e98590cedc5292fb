"""Sequences whose elements a graph of the model's own is run on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad.interop.onnx import Reading, read
from tests.interop.onnx.models import graph_inside, helper, onnx, save, weights

FLOAT = onnx.TensorProto.FLOAT


def macs(reading: Reading) -> dict[str, int]:
    return {gemm.path: gemm.times * gemm.gemm.macs for gemm in reading.gemms}


def mapping(names: list[str], inner: list[str]) -> list[Any]:
    """A dense layer on each element, and one on the second of the results."""
    body = graph_inside(
        [helper.make_node("MatMul", [inner[0], inner[-1] if len(inner) > 1 else "w"], ["t"], "dense")],
        [(name, FLOAT) for name in inner],
        [("t", FLOAT)],
    )
    return [
        helper.make_node("SequenceMap", names, ["mapped"], "each", body=body),
        helper.make_node("SequenceAt", ["mapped", "one"], ["second"]),
        helper.make_node("MatMul", ["second", "v"], ["y"], "head"),
    ]


def numbers() -> list[Any]:
    one = onnx.numpy_helper.from_array(np.array(1), "one")
    return [weights("w", 4, 6), weights("v", 6, 2), one]


def test_a_graph_runs_once_for_each_element(tmp_path: Path) -> None:
    nodes = [helper.make_node("SequenceConstruct", ["x", "x", "z"], ["s"]), *mapping(["s"], ["a"])]
    reading = read(save(tmp_path, nodes, numbers(), {"x": [3, 4], "z": [3, 4]}))
    assert macs(reading) == {"each/dense": 3 * 3 * 4 * 6, "head": 3 * 6 * 2}
    assert reading.notes == []
    assert {(edge.source, edge.target) for edge in reading.graph.edges} >= {
        ("input", "each/dense"),
        ("each/dense", "head"),
    }
    assert next(gemm for gemm in reading.gemms if gemm.path == "head").needs_dx


def test_a_tensor_beside_the_sequence_is_the_same_for_all_elements(tmp_path: Path) -> None:
    nodes = [helper.make_node("SequenceConstruct", ["x", "x"], ["s"]), *mapping(["s", "m"], ["a", "b"])]
    reading = read(save(tmp_path, nodes, numbers(), {"x": [3, 4], "m": [4, 6]}))
    assert macs(reading) == {"each/dense": 2 * 3 * 4 * 6, "head": 3 * 6 * 2}


@pytest.mark.parametrize("trips", [None, 5])
def test_how_many_parts_a_value_is_split_into_is_asked_for(trips: int | None, tmp_path: Path) -> None:
    nodes = [helper.make_node("SplitToSequence", ["x", "one"], ["s"], axis=0), *mapping(["s"], ["a"])]
    reading = read(save(tmp_path, nodes, numbers(), {"x": [5, 4]}), trips=trips)
    assert macs(reading)["each/dense"] == (trips or 1) * 4 * 6
    note = "each: how often it runs is not in the model; its body counts once, give trips={'each': N}"
    assert reading.notes == ([] if trips else [note])
