"""The GEMMs of an Einsum against NumPy's on ones, whose results are sums of as many products as there are MACs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array.gemm import Gemm
from jaxgrad.interop.onnx import read
from jaxgrad.interop.onnx.einsum import Pair, pairs
from tests.interop.onnx.models import helper, save, weights
from tests.refusals import Refusal, assert_refused

LETTERS = "abcde"


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, list[tuple[int, ...]]]:
    """Two operands, in which every axis of one alone is kept: a sum over one operand alone is no product."""
    sizes = {letter: draw(st.integers(1, 4)) for letter in LETTERS}
    left, right = (draw(st.lists(st.sampled_from(LETTERS), unique=True, max_size=4)) for _ in range(2))
    own = set(left) ^ set(right)
    output = draw(st.permutations(sorted(own | draw(st.sets(st.sampled_from(sorted({*left, *right} or {"a"})))))))
    output = [letter for letter in output if letter in {*left, *right}]
    shapes = [tuple(sizes[letter] for letter in term) for term in (left, right)]
    return f"{''.join(left)},{''.join(right)}->{''.join(output)}", shapes


@given(equations())
def test_macs_are_the_sum_of_a_product_of_ones(case: tuple[str, list[tuple[int, ...]]]) -> None:
    equation, shapes = case
    computed = np.einsum(equation, *(np.ones(shape) for shape in shapes))
    (pair,) = pairs(equation, shapes)
    if pair is None:  # element by element
        assert len(set("".join(equation.split("->")[0].split(",")))) >= computed.ndim
        assert computed.max() == 1
        return
    assert pair.times * pair.gemm.macs == computed.sum()


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("ij,jk->ik", [(2, 3), (3, 5)], [Pair(Gemm(2, 3, 5), 1)]),
        ("ij,jk", [(2, 3), (3, 5)], [Pair(Gemm(2, 3, 5), 1)]),
        ("...i,ij->...j", [(2, 4, 3), (3, 5)], [Pair(Gemm(8, 3, 5), 1)]),
        ("b...i,...ij->b...j", [(2, 7, 3), (7, 3, 5)], [Pair(Gemm(2, 3, 5), 7)]),
        ("...ij,...jk->...ik", [(6, 2, 3), (1, 3, 5)], [Pair(Gemm(12, 3, 5), 1)]),  # broadcast: one matrix for all
        ("bhqd,bhkd->bhqk", [(2, 4, 5, 8), (2, 4, 6, 8)], [Pair(Gemm(5, 8, 6), 8)]),
        ("ij,ij->", [(2, 3), (2, 3)], [Pair(Gemm(1, 6, 1), 1)]),
        ("i,j->ij", [(2,), (3,)], [Pair(Gemm(2, 1, 3), 1)]),
        ("ij,ij->ij", [(2, 3), (2, 3)], [None]),
        ("ij,jk,kl->il", [(2, 3), (3, 5), (5, 7)], [Pair(Gemm(2, 3, 5), 1), Pair(Gemm(2, 5, 7), 1)]),
        ("bij,bi,kj->bk", [(2, 3, 4), (2, 3), (6, 4)], [Pair(Gemm(4, 3, 1), 2), Pair(Gemm(2, 4, 6), 1)]),
        ("ij->ji", [(2, 3)], []),
    ],
)
def test_pairs(equation: str, shapes: list[tuple[int, ...]], expected: list[Pair | None]) -> None:
    assert list(pairs(equation, shapes)) == expected


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3)]),
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("ij,jk->ik", [(2, 3, 4), (3, 5)]),
        ("i1,jk->ik", [(2, 3), (3, 5)]),
        ("i..,jk->ik", [(2, 3), (3, 5)]),
    ],
)
def test_refusals(equation: str, shapes: list[tuple[int, ...]]) -> None:
    assert_refused(Refusal(lambda: list(pairs(equation, shapes)), "model", repr(equation), "give one that fits"))


def test_einsum_s_weights_are_w_on_either_side(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Einsum", ["x", "w"], ["a"], "right", equation="bsi,ij->bsj"),
        helper.make_node("Einsum", ["v", "a"], ["b"], "left", equation="ks,bsj->bkj"),
        helper.make_node("Einsum", ["b", "u", "t"], ["y"], "both", equation="bkj,jm,mn->bkn"),
    ]
    constants = [weights("w", 4, 6), weights("v", 7, 5), weights("u", 6, 8), weights("t", 8, 9)]
    reading = read(save(tmp_path, nodes, constants, {"x": [3, 5, 4]}))
    assert [(gemm.gemm, gemm.needs_dx, gemm.weights) for gemm in reading.gemms] == [
        (Gemm(15, 4, 6), False, True),
        (Gemm(18, 5, 7), True, True),
        (Gemm(21, 6, 8), True, True),
        (Gemm(21, 8, 9), True, True),
    ]
    assert [(edge.source, edge.target, edge.operand) for edge in reading.graph.edges] == [
        ("input", "right", "x"),
        ("right", "left", "x"),
        ("left", "both#1", "x"),
        ("both#1", "both#2", "x"),
        ("both#2", "output", "x"),
    ]
