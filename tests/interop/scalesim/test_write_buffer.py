"""The ofmap's DRAM traffic against the buffer word by word, with buffers far smaller than a kB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim import write_buffer
from jaxgrad.interop.scalesim.folds import Dataflow, Folds
from jaxgrad.interop.scalesim.layers import Layer, Product, gemm_layer
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import arrays, dataflows, gemms


@given(gemms, arrays, dataflows, st.integers(1, 90))
def test_writes_are_those_of_the_buffer_and_never_wait(
    layer: Layer, array: tuple[int, int], dataflow: Dataflow, drained: int
) -> None:
    lines = oracle.demand(layer, *array, dataflow).ofmap
    expected = oracle.writes(lines, array[1], drained)
    assert (*write_buffer.writes(Folds(layer.product, *array, dataflow), drained), 0) == expected


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 9), arrays, dataflows, st.integers(1, 12))
def test_drains_that_are_passed_over_are_counted(
    m: int, n: int, k: int, array: tuple[int, int], dataflow: Dataflow, drained: int
) -> None:
    layer = gemm_layer("gemm", m, n, k)
    lines = oracle.demand(layer, *array, dataflow).ofmap
    expected = oracle.writes(lines, array[1], drained)
    assert (*write_buffer.writes(Folds(layer.product, *array, dataflow), drained), 0) == expected


@pytest.mark.parametrize("cols", [1, 3, 16])
@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_a_hundred_thousand_drains_are_counted_at_once(
    cols: int, dataflow: Dataflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    take = write_buffer._Lines.take
    monkeypatch.setattr(write_buffer._Lines, "take", lambda self: taken.append(1) or take(self))
    product = Product(10007, 8000, 1) if dataflow == "os" else Product(97, 1009, 1024)
    found = write_buffer.writes(Folds(product, 1, cols, dataflow), 512)
    m, n, k = product
    assert found.words >= m * n * k
    assert len(taken) < 10_000


def test_half_a_kb_is_drained() -> None:
    assert write_buffer.half(3) == 1536
