"""LSTM, GRU and RNN against the same in NumPy, whose matrix products are counted, and which ONNX's own agree with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array.gemm import Gemm
from jaxgrad.interop.onnx import read
from jaxgrad.interop.onnx.recurrences import recurrences
from jaxgrad.programs import LayerGemm
from tests.interop.onnx.models import evaluated, helper, save, weights
from tests.refusals import Refusal, assert_refused

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


class Counted:
    """Matrix products, and the multiply-accumulates of all so far."""

    def __init__(self) -> None:
        self.macs = 0

    def dot(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        self.macs += left.shape[0] * left.shape[1] * right.shape[1]
        return left @ right


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def last_state(kind: str, x: np.ndarray, w: np.ndarray, r: np.ndarray, linear_before: bool, counted: Counted) -> Any:
    """The state after all steps, by the equations of ONNX's operators, without biases and peepholes."""
    h = np.zeros((x.shape[1], r.shape[1]), np.float32)
    c = h
    size = r.shape[1]
    for step in x:
        pre = counted.dot(step, w.T)
        if kind == "RNN":
            h = np.tanh(pre + counted.dot(h, r.T))
        elif kind == "LSTM":
            i, o, f, g = np.split(pre + counted.dot(h, r.T), 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif linear_before:
            back = counted.dot(h, r.T)
            z, reset = (sigmoid(pre[:, at : at + size] + back[:, at : at + size]) for at in (0, size))
            h = (1 - z) * np.tanh(pre[:, 2 * size :] + reset * back[:, 2 * size :]) + z * h
        else:
            back = counted.dot(h, r[: 2 * size].T)
            z, reset = (sigmoid(pre[:, at : at + size] + back[:, at : at + size]) for at in (0, size))
            h = (1 - z) * np.tanh(pre[:, 2 * size :] + counted.dot(reset * h, r[2 * size :].T)) + z * h
    return h


@given(
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    st.tuples(*[st.integers(1, 5)] * 4),
    st.booleans(),
)
def test_macs_are_those_of_the_equations(
    tmp_path_factory: pytest.TempPathFactory, kind: str, sizes: tuple[int, int, int, int], linear_before: bool
) -> None:
    steps, batch, inputs, hidden = sizes
    draw = np.random.default_rng(1)
    x, w, r = (
        draw.normal(size=shape).astype(np.float32)
        for shape in ((steps, batch, inputs), (GATES[kind] * hidden, inputs), (GATES[kind] * hidden, hidden))
    )
    extra = {"linear_before_reset": int(linear_before)} if kind == "GRU" else {}
    node = helper.make_node(kind, ["x", "w", "r"], ["", "y"], "cell", hidden_size=hidden, **extra)
    file = save(tmp_path_factory.mktemp("cell"), [node], [weights("w", w[None]), weights("r", r[None])], {"x": x.shape})
    counted = Counted()
    state = last_state(kind, x, w, r, linear_before, counted)
    np.testing.assert_allclose(evaluated(file, x=x)[0][0], state, atol=1e-5)
    assert sum(gemm.times * gemm.gemm.macs for gemm in read(file).gemms) == counted.macs


def test_a_bidirectional_lstm_has_four_products(tmp_path: Path) -> None:
    node = helper.make_node(
        "LSTM", ["x", "w", "r"], ["y"], "memory", hidden_size=4, direction="bidirectional", layout=1
    )
    file = save(tmp_path, [node], [weights("w", 2, 16, 8), weights("r", 2, 16, 4)], {"x": [2, 3, 8]})
    inputs, states = Gemm(3 * 2, 8, 16), Gemm(2, 4, 16)
    assert read(file).gemms == [
        LayerGemm("memory.forward", inputs, 1, needs_dx=False),
        LayerGemm("memory.forward.recurrence", states, 3, needs_dx=True),
        LayerGemm("memory.reverse", inputs, 1, needs_dx=False),
        LayerGemm("memory.reverse.recurrence", states, 3, needs_dx=True),
    ]


def test_a_state_goes_from_step_to_step(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["", "h"], "memory", hidden_size=4),
        helper.make_node("Squeeze", ["h", "first"], ["s"]),
        helper.make_node("Gemm", ["s", "v"], ["y"], "head"),
    ]
    constants = [weights("w", 1, 16, 8), weights("r", 1, 16, 4), weights("v", 4, 5), weights("first", np.array([0]))]
    graph = read(save(tmp_path, nodes, constants, {"x": [3, 2, 8]})).graph
    assert [node.name for node in graph.nodes] == ["memory", "memory.recurrence", "head"]
    loop, product = "memory.recurrence", 3 * 2 * 16
    kinds = {(edge.source, edge.target, edge.words, edge.operand, edge.carried) for edge in graph.edges}
    assert ("input", "memory", 48, "x", False) in kinds
    assert ("memory", loop, product, "y", False) in kinds
    assert (loop, loop, 2 * 2 * 4, "x", True) in kinds  # from the first two of three steps to the next
    assert (loop, "head", 8, "x", False) in kinds


@pytest.mark.parametrize(
    ("direction", "w", "r", "problem"),
    [
        (b"sideways", (1, 16, 8), (1, 16, 4), "sideways"),
        (b"forward", (2, 16, 8), (2, 16, 4), "W of (2, 16, 8)"),
        (b"forward", (1, 12, 8), (1, 12, 4), "LSTM (cell)"),
        (b"reverse", (1, 16, 7), (1, 16, 4), "X of (3, 2, 8)"),
    ],
)
def test_refusals(direction: bytes, w: tuple[int, ...], r: tuple[int, ...], problem: str) -> None:
    def call() -> object:
        return recurrences("LSTM", "cell", {"direction": direction}, (3, 2, 8), w, r)

    assert_refused(Refusal(call, "model", problem, "give"))
