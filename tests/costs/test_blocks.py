"""jaxgrad.costs.blocks: the sum over blocks in closed form, against going through the blocks."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxgrad.array import forwards, schedules
from jaxgrad.array.counts import CYCLES, MACS, Key, by_name
from jaxgrad.array.mapping import Mapping
from jaxgrad.costs import blocks
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import Accelerator
from tests.costs.layers import Cut, arrays, cuts
from tests.costs.walker import array_counts, walk
from tests.keys import KEY

RUNS: dict[str, tuple[tuple[Mapping, ...], tuple[Any, ...]]] = {
    **{f"forward {name}": ((forwards.find(name).mapping,), ("y",)) for name in forwards.FORWARDS},
    "ws": ((schedules.DX_WS[0],), ("dx",)),
    "os": ((schedules.DW_OS[0],), ("dw",)),
    "interleaved": ((schedules.INTERLEAVED,), ("dx", "dw")),
    "sequential": ((schedules.SEQUENTIAL,), ("dx", "dw")),
    **{f"ws_only {i}": ((schedules.DX_WS[0], mapping), ("dx", "dw")) for i, mapping in enumerate(schedules.DW_WS)},
    **{f"os_only {i}": ((mapping, schedules.DW_OS[0]), ("dx", "dw")) for i, mapping in enumerate(schedules.DX_OS)},
}


def not_zero(counts: dict[Key, int]) -> dict[Key, int]:
    return {key: count for key, count in counts.items() if count}


@settings(max_examples=300)
@given(cut=cuts(), array=arrays(), name=st.sampled_from(sorted(RUNS)), loops=st.permutations("bkn"))
@example(Cut(Shapes(5, 7, 9, 35), {"b": 1, "k": 1, "n": 1}), Accelerator(1, 1, True), "interleaved", ["b", "k", "n"])
def test_counts_are_sums_over_the_blocks(cut: Cut, array: Accelerator, name: str, loops: list[str]) -> None:
    mappings, results = RUNS[name]
    steps = walk([Nest(results, "".join(loops))], cut.sizes, cut.block).steps
    expected = array_counts(steps, mappings, array)
    assert not_zero(blocks.counts(mappings, cut.sizes, cut.block, array)) == expected
    assert blocks.cycles(mappings, cut.sizes, cut.block, array) == expected[CYCLES]


@pytest.mark.parametrize("name", RUNS)
def test_macs_do_not_depend_on_the_blocks(name: str) -> None:
    mappings, results = RUNS[name]
    sizes = {"b": 6, "k": 5, "n": 4}
    for b, k, n in itertools.product(range(1, 7), range(1, 6), range(1, 5)):
        counts = blocks.counts(mappings, sizes, {"b": b, "k": k, "n": n}, Accelerator(2, 3))
        assert counts[MACS] == len(results) * 120


def test_by_hand() -> None:
    """dX and dW of b 4, k 3, n 2 on a 2x3 array, interleaved, in two blocks of 2 rows: each like a layer of its own.

    3 R + C + 2 B - 2 = 11 cycles a block. dW, 6 words, is drained by each and read back by the second.
    """
    counts = blocks.counts(
        [schedules.INTERLEAVED], {"b": 4, "k": 3, "n": 2}, {"b": 2, "k": 3, "n": 2}, Accelerator(2, 3)
    )
    wanted = {"cycles": 22, "w_reads": 12, "dy_reads": 8, "x_reads": 12, "psum_writes": 12, "dw_writes": 12}
    assert {name: by_name(counts)[name] for name in wanted} == wanted
    assert counts[KEY["dw_reads"]] == 6
    assert counts[KEY["psum_reads"]] == 0  # dX's sums are over n, which is one block


def test_sums_over_n_go_through_the_scratchpad() -> None:
    counts = blocks.counts([schedules.DX_WS[0]], {"b": 4, "k": 3, "n": 6}, {"b": 4, "k": 3, "n": 2}, Accelerator(2, 3))
    assert counts[KEY["psum_reads"]] == 2 * 12
    assert counts[KEY["psum_writes"]] == 3 * 12
