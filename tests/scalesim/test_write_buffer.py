"""The ofmap's DRAM traffic against the buffer word by word, with buffers far smaller than a kB."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.scalesim import write_buffer
from jaxgrad.scalesim.folds import Dataflow, Folds
from jaxgrad.scalesim.layers import Layer
from tests.scalesim import oracle
from tests.scalesim.shapes import arrays, dataflows, gemms


@given(gemms, arrays, dataflows, st.integers(1, 90))
def test_writes_are_those_of_the_buffer_and_never_wait(
    layer: Layer, array: tuple[int, int], dataflow: Dataflow, drained: int
) -> None:
    lines = oracle.demand(layer, *array, dataflow).ofmap
    expected = oracle.writes(lines, array[1], drained)
    assert (*write_buffer.writes(Folds(layer.product, *array, dataflow), drained), 0) == expected


def test_half_a_kb_is_drained() -> None:
    assert write_buffer.half(3) == 1536
