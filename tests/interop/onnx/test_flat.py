"""Branches and loops inside of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad.array.gemm import Gemm
from jaxgrad.interop.onnx import Reading, read
from tests.interop.onnx.models import graph_inside, helper, onnx, save, weights
from tests.refusals import Refusal, assert_refused

FLOAT, LONG, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL


def branching(path: Path, condition: list[Any], constants: list[Any]) -> Path:
    one = graph_inside([helper.make_node("MatMul", ["x", "w"], ["t"], "small")], [], [("t", FLOAT)])
    two = [helper.make_node("MatMul", ["x", "v"], ["t"], "wide"), helper.make_node("MatMul", ["t", "u"], ["z"], "back")]
    other = graph_inside(two, [], [("z", FLOAT)])
    nodes = [
        *condition,
        helper.make_node("If", ["c"], ["m"], "choice", then_branch=one, else_branch=other),
        helper.make_node("MatMul", ["m", "w"], ["y"], "head"),
    ]
    tensors = [weights("w", 4, 4), weights("v", 4, 9), weights("u", 9, 4), *constants]
    return save(path, nodes, tensors, {"x": [3, 4]})


def macs(reading: Reading) -> dict[str, int]:
    return {gemm.path: gemm.times * gemm.gemm.macs for gemm in reading.gemms}


def test_all_branches_are_taken_to_run_and_said_to_be(tmp_path: Path) -> None:
    condition = [
        helper.make_node("ReduceMax", ["x"], ["r"], keepdims=0),
        helper.make_node("Cast", ["r"], ["c"], to=BOOL),
    ]
    reading = read(branching(tmp_path, condition, []))
    assert macs(reading) == {"choice/small": 48, "choice/wide": 108, "choice/back": 108, "head": 48}
    assert reading.notes == ["choice: which branch runs is not in the model; all are taken to run"]
    into_head = {(edge.source, edge.words) for edge in reading.graph.incoming("head")}
    assert into_head == {("choice/small", 12), ("choice/back", 12)}
    assert all(gemm.needs_dx for gemm in reading.gemms if gemm.path in ("head", "choice/back"))


@pytest.mark.parametrize(("truth", "paths"), [(True, ["choice/small"]), (False, ["choice/wide", "choice/back"])])
def test_a_condition_in_the_file_decides(truth: bool, paths: list[str], tmp_path: Path) -> None:
    reading = read(branching(tmp_path, [], [weights("c", np.array(truth))]))
    assert [gemm.path for gemm in reading.gemms] == [*paths, "head"]
    assert reading.notes == []


def looping(path: Path, constants: list[Any], starts: tuple[str, str] = ("n", ""), opset: int = 17) -> Path:
    """h <- h w in each round, and all of them put together; m is carried and left as it is."""
    body = graph_inside(
        [
            helper.make_node("MatMul", ["h", "w"], ["h1"], "step"),
            helper.make_node("Add", ["h1", "m"], ["h2"]),
            helper.make_node("Identity", ["c"], ["c1"]),
            helper.make_node("Identity", ["h2"], ["all"]),
        ],
        [("i", LONG), ("c", BOOL), ("h", FLOAT), ("m", FLOAT)],
        [("c1", BOOL), ("h2", FLOAT), ("m", FLOAT), ("all", FLOAT)],
    )
    nodes = [
        helper.make_node("Loop", [*starts, "x", "bias"], ["h_last", "", "h_all"], "loop", body=body),
        helper.make_node("MatMul", ["h_all", "v"], ["z"], "each"),
        helper.make_node("MatMul", ["h_last", "v"], ["y"], "last"),
    ]
    tensors = [weights("w", 4, 4), weights("v", 4, 2), weights("bias", 4), *constants]
    return save(path, nodes, tensors, {"x": [3, 4]}, opset=opset)


@pytest.mark.parametrize("opset", [11, 17])
def test_a_loop_counts_as_often_as_it_runs(opset: int, tmp_path: Path) -> None:
    reading = read(looping(tmp_path, [weights("n", np.array(5))], opset=opset))
    assert macs(reading) == {"loop/step": 5 * 48, "each": 5 * 24, "last": 24}
    assert reading.gemms[0].times == 5
    assert reading.gemms[0].needs_dx  # from the second round on
    assert reading.gemms[1].gemm == Gemm(15, 4, 2)
    edges = {(edge.source, edge.target, edge.words, edge.carried) for edge in reading.graph.edges}
    assert ("input", "loop/step", 12, False) in edges
    assert ("loop/step", "loop/step", 4 * 12, True) in edges
    assert ("loop/step", "each", 60, False) in edges
    assert ("loop/step", "last", 12, False) in edges
    assert reading.notes == []


def test_a_loop_that_no_one_can_tell_the_rounds_of(tmp_path: Path) -> None:
    file = looping(tmp_path, [weights("n", np.array(np.iinfo(np.int64).max))])
    note = "loop: how often it runs is not in the model; its body counts once, give trips={'loop': N}"
    assert macs(read(file)) == {"loop/step": 48, "last": 24}
    assert read(file).notes == ["MatMul (each): not counted, no shape is known for 'h_all'", note]
    assert macs(read(file, trips={"loop": 7}))["loop/step"] == macs(read(file, trips=7))["loop/step"] == 7 * 48
    assert read(file, trips=7).notes == []
    assert_refused(Refusal(lambda: read(file, trips={"other": 7}), "trips", "'other'", "are loop"))
    assert_refused(Refusal(lambda: read(file, trips=0), "trips", "0", "at least 1"))


def test_a_scan_has_as_many_rounds_as_what_it_scans(tmp_path: Path) -> None:
    body = graph_inside(
        [
            helper.make_node("MatMul", ["h", "w"], ["a"], "state"),
            helper.make_node("MatMul", ["part", "w"], ["b"], "input"),
            helper.make_node("Add", ["a", "b"], ["next"]),
            helper.make_node("Identity", ["next"], ["out"]),
        ],
        [("h", FLOAT), ("part", FLOAT)],
        [("next", FLOAT), ("out", FLOAT)],
    )
    attributes = {"num_scan_inputs": 1, "scan_input_axes": [1], "scan_output_axes": [1]}
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Scan", ["zero", "r"], ["", "s"], "scan", body=body, **attributes),
        helper.make_node("MatMul", ["s", "v"], ["y"], "head"),
    ]
    tensors = [weights("w", 4, 4), weights("v", 4, 5), weights("zero", 2, 4)]
    reading = read(save(tmp_path, nodes, tensors, {"x": [2, 6, 4]}))
    assert macs(reading) == {"scan/state": 6 * 32, "scan/input": 6 * 32, "head": 2 * 6 * 4 * 5}
    state, part, head = reading.gemms
    assert (state.needs_dx, part.needs_dx, head.needs_dx) == (True, False, True)
    assert ("input", "scan/input", 48) in {(edge.source, edge.target, edge.words) for edge in reading.graph.edges}


def test_a_scan_whose_results_the_file_has_shapes_of(tmp_path: Path) -> None:
    body = graph_inside(
        [helper.make_node("MatMul", ["part", "w"], ["out"], "step")], [("part", FLOAT)], [("out", FLOAT)]
    )
    node = helper.make_node("Scan", ["x"], ["y"], "scan", body=body, num_scan_inputs=1)
    file = save(tmp_path, [node], [weights("w", 4, 7)], {"x": [6, 2, 4]})
    model = onnx.load(str(file))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, [6, 2, 7]))
    onnx.save(model, str(file))
    assert macs(read(file)) == {"scan/step": 6 * 2 * 4 * 7}


def test_a_scan_of_an_early_form_is_not_counted(tmp_path: Path) -> None:
    body = graph_inside(
        [helper.make_node("MatMul", ["part", "w"], ["out"], "step")], [("part", FLOAT)], [("out", FLOAT)]
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "first"),
        helper.make_node("Scan", ["", "x"], ["y"], "scan", body=body, num_scan_inputs=1),
    ]
    reading = read(save(tmp_path, nodes, [weights("w", 4, 4)], {"x": [1, 6, 2, 4]}, opset=8))
    assert macs(reading) == {"first": 12 * 16}
    assert reading.notes == ["Scan (scan): not counted, its multiply-accumulates are not read, if it has any"]


def test_what_a_model_calls_by_a_name_of_its_own_is_laid_out(tmp_path: Path) -> None:
    inside = [helper.make_node("MatMul", ["a", "b"], ["c"], "inner")]
    function = helper.make_function("mine", "Scaler", ["a", "b"], ["c"], inside, [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("Scaler", ["x", "w"], ["y"], "mine", domain="mine")]
    file = save(tmp_path, nodes, [weights("w", 3, 5)], {"x": [2, 3]}, functions=[function], others=["mine"])
    (gemm,) = read(file).gemms
    assert (gemm.gemm, gemm.weights) == (Gemm(2, 3, 5), True)
