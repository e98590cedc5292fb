"""jaxgrad.costs.orders: IGO's orders move what its paper says, and its rule chooses as printed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.costs.nests import LOOPS, Nest, traffic, trips
from jaxgrad.costs.orders import FUSED, ORDERS, SHARED, families, rule
from tests.costs.layers import Cut, cuts
from tests.costs.walker import walk
from tests.keys import KEY

BOTH: Any = ("dx", "dw")
DX_MAJOR = Nest(BOTH, "bnk", frozenset({"x", "dx"}))
DW_MAJOR = Nest(BOTH, "nbk", frozenset({"w", "dw"}))


def words(cut: Cut) -> dict[str, int]:
    return {name: int(size) for name, size in cut.shapes.words.items()}


@given(cut=cuts())
def test_dx_major_as_printed(cut: Cut) -> None:
    """|dY| + Mt |W| + |X| + |dX| + (2 Mt - 1) |dW|; the multipliers are 1 where the operand's or the sums' one block
    stays."""
    size, loops = words(cut), trips(cut.sizes, cut.block)
    m = loops["b"] if loops["k"] * loops["n"] > 1 else 1
    printed = size["dy"] + m * size["w"] + size["x"] + size["dx"] + (2 * m - 1) * size["dw"]
    assert sum(walk([DX_MAJOR], cut.sizes, cut.block).moved(cut.shapes).values()) == printed
    assert sum(traffic(DX_MAJOR, cut.sizes, cut.block, size).values()) == printed


@given(cut=cuts())
def test_dw_major_as_printed(cut: Cut) -> None:
    """|dY| + |W| + Nt |X| + |dW| + (2 Nt - 1) |dX|"""
    size, loops = words(cut), trips(cut.sizes, cut.block)
    n = loops["n"] if loops["b"] * loops["k"] > 1 else 1
    printed = size["dy"] + size["w"] + n * size["x"] + size["dw"] + (2 * n - 1) * size["dx"]
    assert sum(walk([DW_MAJOR], cut.sizes, cut.block).moved(cut.shapes).values()) == printed
    assert sum(traffic(DW_MAJOR, cut.sizes, cut.block, size).values()) == printed


def test_the_printed_orders_are_among_those_searched() -> None:
    assert (DX_MAJOR,) in list(families(BOTH, "dx_major"))
    assert (DW_MAJOR,) in list(families(BOTH, "dw_major"))


@given(cut=cuts(), window=st.integers(0, 10), nests=st.sampled_from(list(families(BOTH, "alternating"))))
def test_interleaving_only_spills_nothing_where_k_is_innermost(cut: Cut, window: int, nests: tuple[Nest, ...]) -> None:
    moved = walk(nests, cut.sizes, cut.block, window).moved(cut.shapes)
    if nests[0].loops == "bnk":
        assert KEY["dram_psum_writes"] not in moved
    assert moved[KEY["dram_dx_writes"]] == words(cut)["dx"]
    assert moved[KEY["dram_dw_writes"]] == words(cut)["dw"]


@pytest.mark.parametrize(
    ("b", "k", "n", "order"),
    [
        (100, 100, 100, "alternating"),
        (100, 399, 100, "alternating"),  # below four times as long
        (100, 400, 100, "dw_major"),  # X and W's shared axis is the longest
        (400, 100, 100, "dx_major"),
        (100, 100, 400, "dx_major"),
        (100, 500, 400, "dw_major"),
        (500, 500, 100, "dx_major"),  # k is no longer than b
        (100, 500, 500, "dx_major"),
        (1, 1, 1, "alternating"),
        (1, 4, 1, "dw_major"),
    ],
)
def test_the_printed_rule(b: int, k: int, n: int, order: str) -> None:
    assert SHARED[int(rule(b, k, n))] == order
    assert SHARED[int(rule(np.array([b]), np.array([k]), np.array([n]))[0])] == order


@given(sizes=st.tuples(*[st.integers(1, 5000)] * 3))
def test_the_rule_in_its_own_words(sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    if max(sizes) / min(sizes) < 4:
        order = "alternating"
    elif k > n and k > m:
        order = "dw_major"
    else:
        order = "dx_major"
    assert SHARED[int(rule(m, k, n))] == order


def test_one_product_may_use_any_loops() -> None:
    for result in ("y", "dx", "dw"):
        assert {nest.loops for (nest,) in families((result,), "separate")} == set(LOOPS)


@pytest.mark.parametrize(("order", "axis"), [("dx_major", "b"), ("dw_major", "n"), ("k_major", "k")])
def test_fused_orders_are_told_apart_by_their_outermost_loop(order: str, axis: str) -> None:
    found = [nest for (nest,) in families(BOTH, order)]
    assert {nest.loops[0] for nest in found} == {axis}
    assert {nest.results for nest in found} == {BOTH}


def test_names() -> None:
    assert set(FUSED) < set(SHARED) < set(ORDERS)
