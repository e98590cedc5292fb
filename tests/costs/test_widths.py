"""jaxgrad.costs.widths: rows of blocks in whole accesses, against cutting them one by one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array.mapping import AXES
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.orders import families
from jaxgrad.costs.transfers import Shapes, block_bytes
from jaxgrad.costs.widths import Accesses, Words, accesses, arrivals
from jaxgrad.hardware import Precision
from tests.costs.layers import Cut, cuts, precisions
from tests.costs.walker import size_bytes, walk, words

WIDTHS = st.sampled_from([1, 3, 8, 64])


def cut(lengths: list[int], size: int) -> list[int]:
    """Lengths in pieces of at most ``size``."""
    return [min(size, length - start) for length in lengths for start in range(0, length, size)]


@given(case=cuts(), precision=precisions(), width=WIDTHS, inner=st.integers(1, 4), tensor=st.sampled_from(list(AXES)))
def test_each_row_of_each_block_takes_whole_accesses(
    case: Cut, precision: Precision, width: int, inner: int, tensor: str
) -> None:
    first, second = AXES[tensor]
    measure, halved = Accesses(case.shapes, precision, width), dict.fromkeys("bkn", inner)
    for lengths in ([], [case.block], [case.block, halved]):
        rows = [case.sizes[second]]
        for block in lengths:
            rows = cut(rows, block[second])
        stored = [size_bytes(tensor, math.ceil(words(tensor, row, case.shapes)), precision) for row in rows]
        expected = case.sizes[first] * sum(math.ceil(Fraction(size, width)) for size in stored)
        assert measure.whole(tensor, tensor, case.sizes, lengths) == expected
    assert measure.total(tensor, 7) == 7
    row = math.ceil(size_bytes(tensor, math.ceil(words(tensor, case.block[second], case.shapes)), precision) / width)
    assert block_bytes(tensor, case.shapes, case.block, precision, width) == case.block[first] * row * width


@given(case=cuts(), precision=precisions(), width=WIDTHS, steps=st.integers(0, 20), data=st.data())
def test_what_one_memory_asks_of_another_is_what_walking_its_blocks_asks(
    case: Cut, precision: Precision, width: int, steps: int, data: st.DataObject
) -> None:
    nests = data.draw(st.sampled_from([*families(("dx", "dw"), "alternating"), *families(("dw",), "separate")]))
    window = steps if len(nests) > 1 else 0
    walked = walk(nests, case.sizes, case.block, window)
    total = 0
    for step in walked.steps:
        for (tensor, partial, _, length), rows in step.rows.items():
            size = size_bytes("psum" if partial else tensor, math.ceil(words(tensor, length, case.shapes)), precision)
            total += rows * math.ceil(size / width)
    measure = Accesses(case.shapes, precision, width)
    assert accesses(nests, case.sizes, case.block, measure, lambda _: window) == total
    came = arrivals(nests, case.sizes, case.block, Words(case.shapes), lambda _: window)
    loads: dict[str, int] = {}
    for step in walked.steps:
        for (tensor, _), elements in step.loads.items():
            loads[tensor] = loads.get(tensor, 0) + elements
    assert {name: count for name, count in came.items() if count} == {name: n for name, n in loads.items() if n}


def test_arrays_of_layers_count_as_each_alone() -> None:
    nest, precision = Nest(("dx",), "nbk", frozenset({"dx"})), Precision.of("mxfp6")
    layers, block = Shapes.of([(9, 7, 5, 63), (8, 11, 3, 40)]), {"b": 4, "k": 3, "n": 2}
    several = accesses((nest,), layers.sizes, block, Accesses(layers, precision, 4), lambda _: 0)
    alone = [
        accesses((nest,), shapes.sizes, block, Accesses(shapes, precision, 4), lambda _: 0)
        for shapes in (Shapes(9, 7, 5, 63), Shapes(8, 11, 3, 40))
    ]
    np.testing.assert_array_equal(several.values, alone)
