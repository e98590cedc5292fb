"""jaxgrad.costs.transfers: what fits, what moves and how long that takes, against a walk and by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxgrad.array.counts import Key
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.orders import families
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, needed_bytes, stall_cycles
from jaxgrad.hardware import Memory, PerOperand, Precision
from tests.costs.layers import SEPARATE, Cut, cuts, precisions
from tests.costs.walker import Step, Walk, held_bytes, moved_bytes, size_bytes, walk, words

ALTERNATING = tuple(families(("dx", "dw"), "alternating"))
EVERY = tuple((nest,) for nest in SEPARATE) + ALTERNATING
WORDS = Precision()  # four bytes each


def window(spare: int, block: dict[str, int], precision: Precision) -> int:
    """Steps for which dY's blocks, two a step, fit into what is left."""
    return max(0, spare) // (2 * size_bytes("dy", block["b"] * block["n"], precision))


def not_zero(counts: dict[Key, int]) -> dict[Key, int]:
    return {key: int(count) for key, count in counts.items() if count}


@settings(max_examples=400)
@given(cut=cuts(), nests=st.sampled_from(EVERY), precision=precisions(), spare=st.integers(-10, 300))
def test_words_and_bytes_moved(cut: Cut, nests: Sequence[Nest], precision: Precision, spare: int) -> None:
    moved = dram_words(nests, cut.shapes, cut.block, precision, spare)
    walked = walk(nests, cut.sizes, cut.block, window(spare, cut.block, precision))
    assert not_zero(moved) == walked.moved(cut.shapes)
    assert int(dram_bytes(moved, precision)) == moved_bytes(walked.moved(cut.shapes), precision)


@settings(max_examples=200)
@given(cut=cuts(), nests=st.sampled_from(ALTERNATING), steps=st.integers(0, 20))
def test_alternating_nests_keep_no_more_of_dy_than_there_is_room_for(
    cut: Cut, nests: Sequence[Nest], steps: int
) -> None:
    assert walk(nests, cut.sizes, cut.block, steps).kept <= 2 * steps


@settings(max_examples=300)
@given(cut=cuts(), nests=st.sampled_from(EVERY), precision=precisions())
def test_needed_bytes(cut: Cut, nests: Sequence[Nest], precision: Precision) -> None:
    """Each tensor has a place of its own, as large as it ever gets: never less than what is there at a time."""
    walked = walk(nests, cut.sizes, cut.block)
    parts: dict[str, int] = {}
    for (_, tensor), elements in walked.reserved.items():
        part = "dx" if tensor == "y" else tensor
        parts[part] = parts.get(part, 0) + held_bytes(tensor, elements, cut.shapes, precision)
    needed = needed_bytes(nests, cut.shapes, cut.block, precision)
    assert needed == parts
    peak = max(
        sum(held_bytes(tensor, elements, cut.shapes, precision) for tensor, elements in held) for held in walked.present
    )
    assert peak <= sum(needed.values())
    if cut.divides:
        assert peak == sum(needed.values())


def first_and_last(walked: Walk, cut: Cut, precision: Precision) -> tuple[int, int]:
    """Bytes without which the first step cannot begin, and bytes that the last one leaves."""
    first = sum(
        size_bytes(tensor, math.ceil(words(tensor, elements, cut.shapes)), precision)
        for (tensor, _), elements in walked.steps[0].loads.items()
    )
    last = sum(
        size_bytes(tensor, math.ceil(words(tensor, elements, cut.shapes)), precision)
        for (tensor, partial), elements in walked.steps[-1].stores.items()
        if not partial
    )
    return first, last


@settings(max_examples=300)
@given(
    cut=cuts(),
    nests=st.sampled_from(EVERY),
    precision=precisions(),
    compute=st.integers(1, 2000),
    rate=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_stalls(cut: Cut, nests: Sequence[Nest], precision: Precision, compute: int, rate: tuple[int, int]) -> None:
    """The array waits for the first step's operands, at the end for the last step's results, and for DRAM's time."""
    walked = walk(nests, cut.sizes, cut.block)
    total = moved_bytes(walked.moved(cut.shapes), precision)

    def cycles(size: int) -> int:
        return math.ceil(size * Fraction(*rate))

    overlapped, waiting = Storage(0, *rate), Storage(0, *rate, double_buffered=False)
    first, last = first_and_last(walked, cut, precision)
    expected = max(cycles(first) + cycles(last), cycles(total) - compute)
    assert stall_cycles(compute, total, nests, cut.shapes, cut.block, overlapped, precision) == expected
    assert stall_cycles(compute, total, nests, cut.shapes, cut.block, waiting, precision) == cycles(total)


@settings(max_examples=200)
@given(
    cut=cuts(),
    nests=st.sampled_from(EVERY),
    each=st.integers(1, 100),
    rate=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_stalls_are_no_more_than_with_a_look_ahead_of_one_step(
    cut: Cut, nests: Sequence[Nest], each: int, rate: tuple[int, int]
) -> None:
    """While a step computes, the next one's blocks come and the last one's go: how a double buffer really does it."""
    assume(cut.shapes.x_words == cut.shapes.b * cut.shapes.k)  # else bytes of a step are no whole words
    walked = walk(nests, cut.sizes, cut.block)

    def cycles(*parts: dict[tuple[str, bool], int]) -> int:
        return math.ceil(sum(4 * elements for part in parts for elements in part.values()) * Fraction(*rate))

    nothing = Step()
    steps = [nothing, *walked.steps, nothing]
    time = cycles(walked.steps[0].loads)
    for before, now, after in zip(steps, walked.steps, steps[2:], strict=False):
        assert now
        time += max(each, cycles(before.stores, after.loads))
    time += cycles(walked.steps[-1].stores)
    compute = each * len(walked.steps)
    total = moved_bytes(walked.moved(cut.shapes), WORDS)
    stalls = stall_cycles(compute, total, nests, cut.shapes, cut.block, Storage(0, *rate), WORDS)
    assert compute + stalls <= time


@pytest.mark.parametrize(
    "nests", EVERY, ids=lambda nests: "|".join(nest.loops + "+".join(sorted(nest.held)) for nest in nests)
)
def test_overlap_never_takes_longer_than_waiting(nests: Sequence[Nest]) -> None:
    """But for a cycle's rounding, since what comes first and what leaves last round up on their own."""
    cut = Cut(Shapes(6, 4, 5, 24), {"b": 2, "k": 2, "n": 2})
    whole = Cut(Shapes(6, 4, 5, 24), {"b": 6, "k": 4, "n": 5})
    for each in (cut, whole):
        total = moved_bytes(walk(nests, each.sizes, each.block).moved(each.shapes), WORDS)
        stalls = stall_cycles(1, total, nests, each.shapes, each.block, Storage(0, 1, 4), WORDS)
        assert stalls <= total // 4 + 1


def test_storage_of_a_memory() -> None:
    unified = Storage.of(Memory(1001, 22.0, 1.0))
    assert (unified.usable_bytes, unified.double_buffered) == (500, True)
    assert unified.transfer_cycles(220) == 10
    assert unified.transfer_cycles(221) == 11
    assert unified.transfer_cycles(0) == 0
    waiting = Storage.of(Memory(1001, 150.0, 1.05, double_buffered=False))
    assert waiting.usable_bytes == 1001
    assert waiting.transfer_cycles(150_000) == 1050
    divided = Storage.of(Memory(PerOperand(10, 20, 30, 40, 51), 22.0))
    assert divided.usable_bytes == {"x": 5, "w": 10, "dy": 15, "dx": 20, "dw": 25}


def test_spare_bytes() -> None:
    assert Storage(100, 1, 1).spare_bytes({"dy": 30, "w": 60}) == 10
    assert Storage(80, 1, 1).spare_bytes({"dy": 30, "w": 60}) == -10
    divided = Storage({"x": 10, "w": 70, "dy": 50, "dx": 9, "dw": 9}, 1, 1)
    assert divided.spare_bytes({"dy": 30, "w": 60}) == 20  # what is left for dY, whose part it is
    assert divided.spare_bytes({"dy": 30, "w": 75, "x": 11}) == -5
    assert divided.spare_bytes({"x": 4, "w": 60, "dx": 9}) == 0


def test_needed_bytes_by_hand() -> None:
    """Blocks of 2 x 3 x 4 (b, k, n) of a layer of 8 x 9 x 8; dX held along k, sums of 4 bytes, operands of 2."""
    shapes, block = Shapes(8, 9, 8, 72), {"b": 2, "k": 3, "n": 4}
    nest = Nest(("dx",), "bnk", frozenset({"dx"}))
    needed = needed_bytes([nest], shapes, block, Precision.of("bf16"))
    assert needed == {"dy": 2 * 2 * 4, "w": 2 * 3 * 4, "dx": 4 * 2 * 9}


def test_block_formats_share_their_exponents() -> None:
    """32 numbers of 8 bits and a byte: 33 bytes; 33 numbers: 34.03 bytes."""
    shapes = Shapes(32, 1, 1, 32)
    nest = Nest(("y",), "bkn")
    needed = needed_bytes([nest], shapes, {"b": 32, "k": 1, "n": 1}, Precision.of("mxfp8"))
    assert needed["x"] == 33
    assert Precision.of("mxfp8").bytes("x", 33) == 35


@pytest.mark.parametrize("words_of_x", [1, 5, 12])
def test_overlapping_patches_take_the_place_of_their_feature_map(words_of_x: int) -> None:
    shapes = Shapes(4, 3, 2, words_of_x)
    assert shapes.words["x"] == shapes.words["dx"] == words_of_x
    assert shapes.share("x", 12) == words_of_x
    assert shapes.share("w", 6) == 6
    assert shapes.share("x", 6) == math.ceil(words_of_x / 2)
