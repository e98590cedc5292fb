"""ONNX's LinearAttention against its recurrence, a token at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from jaxgrad.interop.onnx import read
from jaxgrad.interop.onnx.linear_attention import linear_attention
from tests.interop.onnx.models import helper, onnx, save, weights
from tests.refusals import Refusal, assert_refused

KIND = "LinearAttention"
BATCH, TOKENS, HEADS, STATES, KEY, VALUE = 2, 5, 6, 3, 4, 7


def by_hand(rule: str) -> Counter[str]:
    """Multiply-accumulates of outer products and of vectors with states."""
    macs: Counter[str] = Counter()
    for _ in range(BATCH * TOKENS):
        for _ in range(STATES):
            macs["mix.update"] += KEY * VALUE
            if "delta" in rule:
                macs["mix.recalled"] += KEY * VALUE
        for _ in range(HEADS):
            macs["mix.output"] += KEY * VALUE
    return macs


@pytest.mark.skipif(not onnx.defs.has(KIND), reason="this onnx has no LinearAttention")
@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_products_are_those_of_the_recurrence(rule: str, tmp_path: Path) -> None:
    inputs = {"x": [BATCH, TOKENS, 8], "v": [BATCH, TOKENS, STATES * VALUE], "b": [BATCH, TOKENS, STATES]}
    gates = ["b" if "gated" in rule else "", "b" if "delta" in rule else ""]
    nodes = [
        helper.make_node("MatMul", ["x", "wq"], ["q"], "q"),
        helper.make_node("MatMul", ["x", "wk"], ["k"], "k"),
        helper.make_node(
            KIND,
            ["q", "k", "v", "", *gates],
            ["a", "present"],
            "mix",
            q_num_heads=HEADS,
            kv_num_heads=STATES,
            update_rule=rule,
        ),
        helper.make_node("MatMul", ["a", "wo"], ["y"], "o"),
    ]
    constants = [weights("wq", 8, HEADS * KEY), weights("wk", 8, STATES * KEY), weights("wo", HEADS * VALUE, 3)]
    version = onnx.defs.get_schema(KIND).since_version
    reading = read(save(tmp_path, nodes, constants, inputs, opset=version), strict=True)
    mixed = [gemm for gemm in reading.gemms if gemm.path.startswith("mix")]
    assert {gemm.path: gemm.times * gemm.gemm.macs for gemm in mixed} == by_hand(rule)
    # All that comes of the trained keys and queries wants a gradient; v, which is data, wants none.
    needs = {gemm.path: (gemm.needs_dx, gemm.needs_dw, gemm.weights) for gemm in mixed}
    assert needs["mix.update"] == (True, "delta" in rule, False)
    assert needs["mix.output"] == (True, True, False)
    states = BATCH * STATES * KEY * VALUE
    edges = {(edge.source, edge.target): (edge.words, edge.carried) for edge in reading.graph.edges}
    assert edges["mix.update", "mix.output"] == (TOKENS * states, False)
    if "delta" in rule:
        assert edges["mix.update", "mix.recalled"] == ((TOKENS - 1) * states, True)
    assert edges["mix.output", "o"][0] == BATCH * TOKENS * HEADS * VALUE


@pytest.mark.parametrize(
    ("attributes", "q", "v"),
    [
        ({"q_num_heads": 5, "kv_num_heads": 3}, (2, 5, 20), (2, 5, 21)),
        ({"q_num_heads": 6, "kv_num_heads": 3}, (2, 5, 30), (2, 5, 21)),
        ({"q_num_heads": 6, "kv_num_heads": 3}, (2, 4, 24), (2, 5, 21)),
        ({"q_num_heads": 6, "kv_num_heads": 3, "update_rule": b"other"}, (2, 5, 24), (2, 5, 21)),
    ],
)
def test_refusals(attributes: dict[str, int], q: tuple[int, ...], v: tuple[int, ...]) -> None:
    call = lambda: linear_attention("mix", attributes, q, (2, 5, 12), v)  # noqa: E731  # a refusal's call
    assert_refused(Refusal(call, "model", f"queries of {q}", "give what fits"))
