"""jaxgrad.costs.nests: what loops over blocks move and hold, against a scratchpad that is walked."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings

from jaxgrad.array.counts import DRAM, READS, WRITES, Key, by_name
from jaxgrad.costs.nests import LOOPS, Nest, holdings, resident, reused_along, traffic, trips
from jaxgrad.costs.transfers import Shapes
from tests.costs.layers import SEPARATE, Cut, cuts, nests
from tests.costs.walker import walk

FUSED = Nest(("dx", "dw"), "bnk", frozenset({"x", "dx"}))


def not_zero(counts: dict[Key, int]) -> dict[Key, int]:
    return {key: count for key, count in counts.items() if count}


@settings(max_examples=400)
@given(cut=cuts(), nest=nests())
@example(Cut(Shapes(1, 1, 1, 1), {"b": 1, "k": 1, "n": 1}), FUSED)
@example(Cut(Shapes(6, 5, 4, 30), {"b": 2, "k": 5, "n": 1}), FUSED)  # one trip innermost
@example(Cut(Shapes(6, 5, 4, 30), {"b": 2, "k": 1, "n": 4}), FUSED)  # one trip in the middle
@example(Cut(Shapes(7, 5, 3, 9), {"b": 7, "k": 5, "n": 3}), FUSED)  # the block is the layer
def test_traffic_is_what_the_walk_moves(cut: Cut, nest: Nest) -> None:
    moved = traffic(nest, cut.sizes, cut.block, cut.shapes.words)
    assert not_zero(moved) == walk([nest], cut.sizes, cut.block).moved(cut.shapes)


@settings(max_examples=200)
@given(cut=cuts(), nest=nests())
def test_residence_is_the_most_of_a_tensor_that_the_walk_ever_holds(cut: Cut, nest: Nest) -> None:
    most = {name: resident(nest, name, cut.sizes, cut.block) for name in nest.tensors}
    walked = walk([nest], cut.sizes, cut.block)
    assert most == {name: elements for (_, name), elements in walked.reserved.items()}
    together = max(sum(elements for _, elements in held) for held in walked.present)
    assert together <= sum(most.values())
    if cut.divides:  # else an edge block may be there just when the others are full
        assert together == sum(most.values())


@pytest.mark.parametrize("nest", SEPARATE, ids=lambda nest: f"{'+'.join(nest.results)}-{nest.loops}")
def test_no_nest_moves_less_than_everything_once(nest: Nest) -> None:
    sizes, block, words = {"b": 6, "k": 4, "n": 5}, {"b": 2, "k": 2, "n": 2}, {"x": 24, "w": 20, "dy": 30, "y": 30}
    words |= {"dx": words["x"], "dw": words["w"]}
    moved = traffic(nest, sizes, block, words)
    assert all(moved[Key(DRAM, name, READS)] >= words[name] for name in nest.operands)
    assert all(moved[Key(DRAM, name, WRITES)] == words[name] for name in nest.results)
    assert moved[Key(DRAM, "psum", READS)] == moved[Key(DRAM, "psum", WRITES)]


@pytest.mark.parametrize("loops", LOOPS)
def test_holding_everything_moves_everything_once(loops: str) -> None:
    *_, everything = holdings(("dx", "dw"), loops)
    sizes, block = {"b": 6, "k": 4, "n": 5}, {"b": 2, "k": 2, "n": 2}
    words = {"x": 24, "w": 20, "dy": 30, "dx": 24, "dw": 20}
    moved = traffic(everything, sizes, block, words)
    assert by_name(not_zero(moved)) == {
        "dram_x_reads": 24,
        "dram_w_reads": 20,
        "dram_dy_reads": 30,
        "dram_dx_writes": 24,
        "dram_dw_writes": 20,
    }


def test_what_is_worth_holding() -> None:
    """All but the tensors that the innermost loop uses again: they stay anyway."""
    for loops in LOOPS:
        options = list(holdings(("dx", "dw"), loops))
        assert len(options) == len(set(options))
        ever = frozenset().union(*(nest.held for nest in options))
        assert ever == {name for name in options[0].tensors if reused_along(name) != loops[-1]}
        assert Counter(len(nest.held) for nest in options)[0] == 1


def test_the_axis_of_reuse() -> None:
    assert {name: reused_along(name) for name in ("x", "w", "y", "dy", "dx", "dw")} == {
        "x": "n",
        "w": "b",
        "y": "k",
        "dy": "k",
        "dx": "n",
        "dw": "b",
    }


def test_trips_round_up() -> None:
    assert trips({"b": 7, "k": 6, "n": 1}, {"b": 3, "k": 3, "n": 1}) == {"b": 3, "k": 2, "n": 1}


@pytest.mark.parametrize(("x_words", "spill"), [(24, 24), (11, 11)])
def test_by_hand(x_words: int, spill: int) -> None:
    """dX[6,4] = dY[6,5] W^T, b outside n outside k, one row of two blocks of dX at a time, of which none stays.

    3 x 2 x 3 blocks of 2 x 2 x 2. dY is read once, since k is innermost; W for each of 3 blocks of b; dX is spilled
    and read back twice.
    """
    nest = Nest(("dx",), "bnk")
    words = {"dy": 30, "w": 20, "dx": x_words}
    assert by_name(traffic(nest, {"b": 6, "k": 4, "n": 5}, {"b": 2, "k": 2, "n": 2}, words)) == {
        "dram_dy_reads": 30,
        "dram_w_reads": 60,
        "dram_dx_writes": x_words,
        "dram_psum_reads": 2 * spill,
        "dram_psum_writes": 2 * spill,
    }
