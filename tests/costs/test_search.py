"""jaxgrad.costs.search: the best there is, against trying everything and walking it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxgrad.array import forwards, schedules
from jaxgrad.array.counts import CYCLES
from jaxgrad.costs.orders import Nests, families
from jaxgrad.costs.search import OBJECTIVES, Alternatives, Found, Unfit, block_sizes, search
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.hardware import Accelerator, Memory, PerOperand, Precision
from tests.costs.layers import arrayed, arrays
from tests.costs.layers import shapes as layers
from tests.costs.walker import array_counts, held_bytes, moved_bytes, size_bytes, walk, words
from tests.refusals import Refusal, assert_refused

CHOICES: dict[str, tuple[tuple[str, ...], str, tuple]] = {
    "forward": (("y",), "separate", ((forwards.find("ws").mapping,),)),
    "dw on ws": (("dw",), "separate", (schedules.DW_WS,)),
    "interleaved": (("dx", "dw"), "k_major", schedules.find("interleaved").alternatives()),
    "interleaved dx-major": (("dx", "dw"), "dx_major", schedules.find("interleaved").alternatives()),
    "os_only alternating": (("dx", "dw"), "alternating", schedules.find("os_only").alternatives()),
    "ws_only dw-major": (("dx", "dw"), "dw_major", schedules.find("ws_only").alternatives()),
}


def brute_force(
    every: Sequence[Nests], choices: tuple, layer: Shapes, array: Accelerator, memory: Memory, precision: Precision
) -> list[tuple[int, int]]:
    """(cycles, bytes) of all that fits."""
    axes = [block_sizes(size, one) for size, one in zip(layer[:3], (1, array.cols, array.rows), strict=True)]
    halves = 2 if memory.double_buffered else 1
    sram = memory.sram_bytes
    rate = Fraction(round(memory.clock_ghz * 1000), round(memory.dram_gb_per_s * 1000))
    found: list[tuple[int, int]] = []
    for nests, lengths in itertools.product(every, itertools.product(*axes)):
        block = dict(zip("bkn", lengths, strict=True))
        sizes = dict(layer.sizes)
        needed: dict[str, int] = dict.fromkeys(("x", "w", "dy", "dx", "dw"), 0)
        for (_, tensor), elements in walk(nests, sizes, block).reserved.items():
            needed["dx" if tensor == "y" else tensor] += held_bytes(tensor, elements, layer, precision)
        if isinstance(sram, PerOperand):
            left = {part: getattr(sram, part) // halves - size for part, size in needed.items()}
            spare = left["dy"]
            if min(left.values()) < 0:
                continue
        else:
            spare = sram // halves - sum(needed.values())
            if spare < 0:
                continue
        window = spare // (2 * size_bytes("dy", block["b"] * block["n"], precision))
        walked = walk(nests, sizes, block, window)
        moved = moved_bytes(walked.moved(layer), precision)
        compute = sum(
            min(array_counts(walked.steps, [mapping], array)[CYCLES] for mapping in choice) for choice in choices
        )
        first, last = (
            sum(
                size_bytes(tensor, math.ceil(words(tensor, elements, layer)), precision)
                for (tensor, partial), elements in moves.items()
                if not partial
            )
            for moves in (walked.steps[0].loads, walked.steps[-1].stores)
        )
        if memory.double_buffered:
            stalls = max(math.ceil(first * rate) + math.ceil(last * rate), math.ceil(moved * rate) - compute)
        else:
            stalls = math.ceil(moved * rate)
        found.append((compute + stalls, moved))
    return found


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    size = st.integers(4, 400)
    sram = PerOperand(*(draw(size) for _ in range(5))) if draw(st.booleans()) else draw(st.integers(20, 1200))
    return Memory(sram, draw(st.sampled_from([0.5, 2.0, 22.0])), 1.0, draw(st.booleans()))


@settings(max_examples=50)
@given(
    layer=layers(4),
    array=arrays(3),
    memory=memories(),
    name=st.sampled_from(sorted(CHOICES)),
    objective=st.sampled_from(OBJECTIVES),
    operands=st.sampled_from(["fp32", "bf16", "mxfp4"]),
)
@example(Shapes(1, 1, 1, 1), Accelerator(1, 1), Memory(40, 1.0), "interleaved", "cycles", "fp32")
@example(Shapes(5, 4, 3, 7), Accelerator(2, 2), Memory(200, 1.0), "os_only alternating", "dram", "fp32")
# many take the least time, of which some move more
@example(Shapes(5, 3, 3, 15), Accelerator(3, 1, True), Memory(106, 22.0), "forward", "cycles", "fp32")
@example(Shapes(6, 4, 6, 24), Accelerator(3, 1), Memory(390, 22.0), "os_only alternating", "cycles", "fp32")
def test_the_search_finds_what_brute_force_finds(
    layer: Shapes, array: Accelerator, memory: Memory, name: str, objective: str, operands: str
) -> None:
    results, order, choices = CHOICES[name]
    every, precision = list(families(results, order)), Precision.of(operands)  # pyright: ignore[reportArgumentType]  # literals
    found = brute_force(every, choices, layer, array, memory, precision)
    arguments = (every, Alternatives(choices), arrayed(layer), array, Storage.of(memory), precision, objective)
    (own,) = search(*arguments)
    if not found:
        assert isinstance(own, Unfit)
        return
    assert isinstance(own, Found)
    best = min(found) if objective == "cycles" else min(found, key=lambda spent: spent[::-1])
    assert (own.cycles, own.dram_bytes) == best


@settings(max_examples=25)
@given(several=st.lists(layers(6), min_size=1, max_size=6), array=arrays(3))
def test_many_layers_at_once_are_each_on_its_own(several: list[Shapes], array: Accelerator) -> None:
    results, order, choices = CHOICES["interleaved"]
    every = list(families(results, order))  # pyright: ignore[reportArgumentType]  # literals
    common = (array, Storage.of(Memory(2000, 4.0)), Precision())
    together = search(every, Alternatives(choices), arrayed(*several), *common)
    alone = [search(every, Alternatives(choices), arrayed(layer), *common)[0] for layer in several]
    assert together == alone


@pytest.mark.parametrize("memory", [Memory(79, 1.0), Memory(37, 1.0, double_buffered=False)])
def test_what_is_lacking_is_told_and_is_enough(memory: Memory) -> None:
    """The first layer has one word of each of five tensors, of four bytes: it fits."""
    results, order, choices = CHOICES["interleaved"]
    every = list(families(results, order))  # pyright: ignore[reportArgumentType]  # literals
    layers = arrayed(Shapes(1, 1, 1, 1), Shapes(9, 9, 9, 81))
    array = Accelerator(3, 3)

    def run(size: int) -> list[Found | Unfit]:
        storage = Storage.of(Memory(size, 1.0, double_buffered=memory.double_buffered))
        return search(every, Alternatives(choices), layers, array, storage, Precision())

    assert isinstance(memory.sram_bytes, int)
    small, large = run(memory.sram_bytes)
    assert isinstance(small, Found)
    assert isinstance(large, Unfit)
    usable = memory.sram_bytes // (2 if memory.double_buffered else 1)
    # b 1, k 3, n 3: dY and X and dX 3 words each, W and dW 9
    assert usable + large.lacking_bytes == 4 * (3 * 3 + 2 * 9)
    enough = (usable + large.lacking_bytes) * (2 if memory.double_buffered else 1)
    assert isinstance(run(enough)[1], Found)
    assert run(enough - 1)[1] == Unfit(1)


@given(size=st.integers(1, 5000), granule=st.integers(1, 130))
def test_block_sizes(size: int, granule: int) -> None:
    sizes = block_sizes(size, granule)
    assert sizes[0] == size == max(sizes)
    assert len(set(sizes)) == len(sizes)
    assert min(sizes) == min(size, granule)
    assert all(length % granule == 0 or length == size for length in sizes)


def test_another_objective() -> None:
    results, order, choices = CHOICES["interleaved"]
    every = list(families(results, order))  # pyright: ignore[reportArgumentType]  # literals
    call = (every, Alternatives(choices), arrayed(Shapes(1, 1, 1, 1)), Accelerator(1, 1), Storage(99, 1, 1))
    assert_refused(Refusal(lambda: search(*call, Precision(), "energy"), "objective", "'energy'", "cycles, dram"))
