"""Fillings of the operands without shared words, against a walk word by word, with buffers far smaller than a kB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim import read_buffer
from jaxgrad.interop.scalesim.folds import Dataflow, Folds
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.read_buffer import Fillings, Requests
from jaxgrad.interop.scalesim.traffic import Traffic
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import arrays, dataflows, gemms


@given(gemms, arrays, dataflows, st.integers(1, 130))
def test_fillings_are_those_of_a_walk(layer: Layer, array: tuple[int, int], dataflow: Dataflow, held: int) -> None:
    folds = Folds(layer.product, *array, dataflow)
    ifmap, filters, _ = oracle.demand(layer, *array, dataflow)
    if dataflow == "os":
        found = read_buffer.left_fillings(folds, held), read_buffer.top_fillings(folds, held)
    elif dataflow == "ws":
        found = read_buffer.left_fillings(folds, held), read_buffer.stationary_fillings(folds, held)
    else:
        found = read_buffer.stationary_fillings(folds, held), read_buffer.left_fillings(folds, held)
    assert found == (oracle.fillings(ifmap, held), oracle.fillings(filters, held))


def test_traffic_before_and_after_the_first_filling() -> None:
    assert read_buffer.capacity(1) == 500
    # 33 words are four sets of ten, fetched ten a cycle, the last in cycle -1.
    assert read_buffer.traffic(Requests(4, 60, 33, Fillings(0, -1, 33)), 1) == Traffic(-4, -1, 33)
    assert read_buffer.traffic(Requests(4, 960, 33, Fillings(3, 900, 33)), 1) == Traffic(4 - 50, 901, 1533)


@pytest.mark.parametrize(("size_kb", "words"), [(1, 10), (2, 20), (3, 30), (64, 655)])
def test_a_set_is_a_hundredth_rounded_down(size_kb: int, words: int) -> None:
    assert read_buffer.set_words(size_kb) == words
